"""Admin pages that span the apps."""

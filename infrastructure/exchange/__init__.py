"""Lists as files that people edit in a spreadsheet: CSV and XLSX, out of the admin's lists and into them.

A file is imported as one change, through the same checks as a page of the admin: all of its rows or none.
"""

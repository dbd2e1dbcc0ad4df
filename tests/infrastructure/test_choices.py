import pytest

from chargers.choices import CallResult
from infrastructure.choices import (
    Capability,
    ConnectorStandard,
    EVSEStatus,
    Facility,
    ParkingRestriction,
    ParkingType,
    PowerType,
    as_choices,
)
from roaming.choices import Module, PlatformType
from tariffs.choices import TariffType


@pytest.mark.parametrize(
    ("member", "label"),
    [
        (ConnectorStandard.IEC_62196_T2_COMBO, "IEC 62196 T2 combo"),
        (ConnectorStandard.IEC_60309_2_three_16, "IEC 60309 2 three 16"),
        (ConnectorStandard.GBT_DC, "GBT DC"),
        (ConnectorStandard.DOMESTIC_A, "Domestic A"),
        (ConnectorStandard.CHADEMO, "CHAdeMO"),
        (PowerType.AC_3_PHASE, "AC 3 phase"),
        (ParkingRestriction.EV_ONLY, "EV only"),
        (Capability.RFID_READER, "RFID reader"),
        (Capability.CHIP_CARD_SUPPORT, "Chip card support"),
        (ParkingType.ON_STREET, "On street"),
        (Facility.WIFI, "Wi-Fi"),
        (EVSEStatus.OUTOFORDER, "Out of order"),
        (CallResult.EVSE_OCCUPIED, "EVSE occupied"),
        (PlatformType.EMSP, "eMSP"),
        (Module.CDRS, "CDRs"),
        (TariffType.AD_HOC_PAYMENT, "Ad hoc payment"),
    ],
)
def test_labels_are_words_and_abbreviations_keep_their_spelling(member, label):
    assert dict(as_choices(type(member)))[member] == label

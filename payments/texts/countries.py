"""Names of the countries in which chargers stand, as documents for drivers write them."""

_LANGUAGES = ("en", "de", "fr", "nl", "sl")
_NAMES = {
    "ALB": ("Albania", "Albanien", "Albanie", "Albanië", "Albanija"),
    "AND": ("Andorra", "Andorra", "Andorre", "Andorra", "Andora"),
    "AUT": ("Austria", "Österreich", "Autriche", "Oostenrijk", "Avstrija"),
    "BEL": ("Belgium", "Belgien", "Belgique", "België", "Belgija"),
    "BGR": ("Bulgaria", "Bulgarien", "Bulgarie", "Bulgarije", "Bolgarija"),
    "BIH": (
        "Bosnia and Herzegovina",
        "Bosnien und Herzegowina",
        "Bosnie-Herzégovine",
        "Bosnië en Herzegovina",
        "Bosna in Hercegovina",
    ),
    "CHE": ("Switzerland", "Schweiz", "Suisse", "Zwitserland", "Švica"),
    "CYP": ("Cyprus", "Zypern", "Chypre", "Cyprus", "Ciper"),
    "CZE": ("Czechia", "Tschechien", "Tchéquie", "Tsjechië", "Češka"),
    "DEU": ("Germany", "Deutschland", "Allemagne", "Duitsland", "Nemčija"),
    "DNK": ("Denmark", "Dänemark", "Danemark", "Denemarken", "Danska"),
    "ESP": ("Spain", "Spanien", "Espagne", "Spanje", "Španija"),
    "EST": ("Estonia", "Estland", "Estonie", "Estland", "Estonija"),
    "FIN": ("Finland", "Finnland", "Finlande", "Finland", "Finska"),
    "FRA": ("France", "Frankreich", "France", "Frankrijk", "Francija"),
    "GBR": ("United Kingdom", "Vereinigtes Königreich", "Royaume-Uni", "Verenigd Koninkrijk", "Združeno kraljestvo"),
    "GRC": ("Greece", "Griechenland", "Grèce", "Griekenland", "Grčija"),
    "HRV": ("Croatia", "Kroatien", "Croatie", "Kroatië", "Hrvaška"),
    "HUN": ("Hungary", "Ungarn", "Hongrie", "Hongarije", "Madžarska"),
    "IRL": ("Ireland", "Irland", "Irlande", "Ierland", "Irska"),
    "ISL": ("Iceland", "Island", "Islande", "IJsland", "Islandija"),
    "ITA": ("Italy", "Italien", "Italie", "Italië", "Italija"),
    "LIE": ("Liechtenstein", "Liechtenstein", "Liechtenstein", "Liechtenstein", "Lihtenštajn"),
    "LTU": ("Lithuania", "Litauen", "Lituanie", "Litouwen", "Litva"),
    "LUX": ("Luxembourg", "Luxemburg", "Luxembourg", "Luxemburg", "Luksemburg"),
    "LVA": ("Latvia", "Lettland", "Lettonie", "Letland", "Latvija"),
    "MCO": ("Monaco", "Monaco", "Monaco", "Monaco", "Monako"),
    "MDA": ("Moldova", "Moldau", "Moldavie", "Moldavië", "Moldavija"),
    "MKD": ("North Macedonia", "Nordmazedonien", "Macédoine du Nord", "Noord-Macedonië", "Severna Makedonija"),
    "MLT": ("Malta", "Malta", "Malte", "Malta", "Malta"),
    "MNE": ("Montenegro", "Montenegro", "Monténégro", "Montenegro", "Črna gora"),
    "NLD": ("Netherlands", "Niederlande", "Pays-Bas", "Nederland", "Nizozemska"),
    "NOR": ("Norway", "Norwegen", "Norvège", "Noorwegen", "Norveška"),
    "POL": ("Poland", "Polen", "Pologne", "Polen", "Poljska"),
    "PRT": ("Portugal", "Portugal", "Portugal", "Portugal", "Portugalska"),
    "ROU": ("Romania", "Rumänien", "Roumanie", "Roemenië", "Romunija"),
    "SMR": ("San Marino", "San Marino", "Saint-Marin", "San Marino", "San Marino"),
    "SRB": ("Serbia", "Serbien", "Serbie", "Servië", "Srbija"),
    "SVK": ("Slovakia", "Slowakei", "Slovaquie", "Slowakije", "Slovaška"),
    "SVN": ("Slovenia", "Slowenien", "Slovénie", "Slovenië", "Slovenija"),
    "SWE": ("Sweden", "Schweden", "Suède", "Zweden", "Švedska"),
    "TUR": ("Türkiye", "Türkei", "Turquie", "Turkije", "Turčija"),
    "UKR": ("Ukraine", "Ukraine", "Ukraine", "Oekraïne", "Ukrajina"),
    "USA": (
        "United States",
        "Vereinigte Staaten",
        "États-Unis",
        "Verenigde Staten",
        "Združene države",
    ),
}


def country_name(code: str, language: str) -> str:
    """Of an alpha-3 code; a country that is not listed keeps its code."""
    names = _NAMES.get(code)
    return names[_LANGUAGES.index(language)] if names else code

"""What `paste` takes of the public collections, and what it leaves out and why; chosen by looking at every picture."""

from __future__ import annotations

CALTECH_CLASSES: dict[str, str] = {
    "accordion": "accordion",
    "Leopards": "big_cat",
    "cougar_body": "big_cat",
    "pigeon": "bird",
    "wild_cat": "cat",
    "watch": "clock",
    "dalmatian": "dog",
    "electric_guitar": "electric_guitar",
    "euphonium": "euphonium",
    "grand_piano": "grand_piano",
    "helicopter": "helicopter",
    "mandolin": "mandolin",
    "Faces": "person",
    "rooster": "rooster",
    "saxophone": "saxophone",
}
"""Folder of Caltech-101 -> our class."""

CALTECH_PREFIXES: dict[str, str] = {"electric_guitar": "electric_gui"}
"""Folder of Caltech-101 -> how our cut-outs' names begin, where not as the folder."""

ESC_CLASSES: dict[str, str] = {
    "dog_bark": "dog",
    "dog": "dog",
    "rooster": "rooster",
    "clock_tick": "clock",
    "helicopter": "helicopter",
    "person_sneeze": "person",
    "sneezing": "person",
    "rain": "rain",
    "sea_waves": "sea_waves",
    "fire_crackling": "fire",
    "crackling_fire": "fire",
    "baby_cry": "baby_cry",
    "crying_baby": "baby_cry",
    "chainsaw": "chainsaw",
}
"""Folder of ESC-10 or category of ESC-50, in lower case -> our class; the last five never have a picture."""

FACE_BLOCKS = (22, 42, 47, 69, 90, 113, 133, 139)
"""The photo numbers in Caltech's Faces from which on another person is seen."""

DROPPED_CUTOUTS: dict[str, str] = {
    **dict.fromkeys((f"accordion_image_{n}" for n in ("0016", "0027", "0050")), "holds a person"),
    **dict.fromkeys((f"helicopter_image_{n}" for n in ("0008", "0060", "0082")), "holds a person"),
    **dict.fromkeys((f"euphonium_image_{n}" for n in ("0018", "0019", "0033", "0046")), "holds a person"),
    **dict.fromkeys((f"saxophone_image_{n}" for n in ("0025", "0030")), "holds a person"),
    **dict.fromkeys(
        (
            f"rooster_image_{n}"
            for n in ("0006", "0009", "0010", "0014", "0016", "0030", "0036", "0037", "0041", "0047")
        ),
        "a drawing",
    ),
    **dict.fromkeys((f"rooster_image_{n}" for n in ("0004", "0032", "0042")), "a figure of metal"),
    **dict.fromkeys((f"Faces_image_{n}" for n in ("0016", "0135")), "too dark to see"),
    "saxophone_image_0035": "no saxophone to be seen",
    "euphonium_image_0045": "mostly background",
    "grand_piano_image_0049": "mostly background",
    "wild_cat_image_0015": "mostly background",
    "pigeon_image_0001": "mostly background",
    "watch_image_0007": "mostly background",
    "watch_image_0109": "mostly background",
    "cougar_body_image_0034": "with lettering",
    "electric_gui_image_0001": "hardly to be recognised",
    "electric_gui_image_0026": "hardly to be recognised",
    "electric_gui_image_0064": "hardly to be recognised",
    "electric_gui_image_0075": "hardly to be recognised",
    "electric_gui_image_0047": "mostly background",
}
"""Cut-out -> why it is left out."""

DROPPED_BACKGROUNDS: dict[str, str] = {
    **dict.fromkeys(
        (
            "gcompris__Gogh4_background",
            "gcompris__PortraitOfPereTanguy_background",
            "gcompris__VincentVanGogh0013_background",
            "gcompris__Van_Gogh_The_Night_Cafe_background",
            "gcompris__Eglise_dAuvers-sur-Oise_background",
            "gcompris__VincentVanGoghBridge_background",
        ),
        "a painting with people",
    ),
    **dict.fromkeys(
        ("gcompris__VincentVanGogh0012_background", "gcompris__VincentVanGogh0019_background"), "a painting"
    ),
    **dict.fromkeys(
        (
            "gcompris__cabrillo",
            "gcompris__christTheRedeemer",
            "gcompris__statueofLiberty",
            "gcompris__mountRushmore",
        ),
        "a statue of a person",
    ),
    **dict.fromkeys(
        ("gcompris__brandenburgGate", "gcompris__gatewayofIndia", "gcompris__castleClinton"), "people in view"
    ),
    **dict.fromkeys(("lomiri-wallpapers-16.04__free_by_Peter_Nerlich",), "a bird"),
    **dict.fromkeys(("lomiri-wallpapers-20.04__Kleiber_by_Lukas_Baubkus",), "a bird"),
    **dict.fromkeys(
        (
            "tuxpaint-data__frame_flowers",
            "mate-backgrounds__Flow",
            "plasma-workspace-wallpapers__Flow",
            "plasma-workspace-wallpapers__Kay",
        ),
        "a drawing",
    ),
    "tuxpaint-data__wool_mill_machine": "a machine that could sound",
}
"""Background -> why it is left out."""

SAME_PLACE: dict[str, str] = {
    "gcompris__Chenonceau_background": "chenonceau",
    "gcompris__chateaudeChenonceau": "chenonceau",
    "gcompris__TajMahal_background": "taj mahal",
    "gcompris__tajMahal": "taj mahal",
    "gcompris__TourEiffel_background": "eiffel tower",
    "gcompris__eiffelTower": "eiffel tower",
    "gcompris__Neuschwanstein_background": "neuschwanstein",
    "gcompris__neuschwansteinCastle": "neuschwanstein",
    "gcompris__GizahPyramids_background": "giza",
    "gcompris__greatPyramidOfGiza": "giza",
}
"""Backgrounds that show one place: they stay in one split."""

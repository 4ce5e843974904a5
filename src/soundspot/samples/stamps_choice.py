"""What `stamps` takes of the Debian packages, and what it leaves out and why; chosen by looking at every picture."""

from __future__ import annotations

VERSIONS: dict[str, str] = {
    "tuxpaint-stamps-default": "2022.06.04-1",
    "tuxpaint-data": "1:0.9.28-sdl2-1",
    "gcompris-qt-data": "3.1-2",
    "lomiri-wallpapers-16.04": "20.04.0-2",
    "mate-backgrounds": "1.26.0-1",
    "plasma-workspace-wallpapers": "4:5.27.5-2",
}
"""Package -> the version (Debian 12) with which the set is the one whose hash is named in stamps.py."""

FAMILIES: dict[str, tuple[str, ...]] = {
    "household": ("household/kettle",),
    "rubber duck": ("household/rubberduck",),
    "toilet": ("household/toilet",),
    "scissors": ("household/arttools/scissors_small_closed", "household/arttools/scissors_small_open"),
    "hammers": ("household/tools/hammer", "household/tools/mallet_metal"),
    "saw": ("household/tools/saw",),
    "camera": ("hobbies/camera_35mm",),
    "strings": ("hobbies/music/string/cello", "hobbies/music/string/violin"),
    "winds": ("hobbies/music/wind/bassoon",),
    "drums": (
        "hobbies/music/percussion/cymbal_crash",
        "hobbies/music/percussion/drum_tomtom_floor",
        "hobbies/music/percussion/drumkit",
    ),
    "koala": ("animals/marsupials/koala",),
    "insects": ("animals/insects/grasshopper", "animals/insects/hornet", "animals/insects/xanthia"),
    "frog": ("animals/amphibians/frog",),
    "badgers": ("animals/mammals/badger", "animals/mammals/ferret"),
    "elephant": ("animals/mammals/elephant",),
    "hippopotamus": ("animals/mammals/hippopotamus",),
    "pigs": ("animals/mammals/pig", "animals/mammals/pig_golden", "animals/mammals/pig_golden2"),
    "rodents": (
        "animals/mammals/rodents/mouse",
        "animals/mammals/rodents/rabbit",
        "animals/mammals/rodents/squirrel",
    ),
    "camels": ("animals/mammals/camel/camel", "animals/mammals/camel/dromedary"),
    "bear": ("animals/mammals/bears/bear",),
    "whales": (
        "animals/mammals/aquatic/dolphin",
        "animals/mammals/aquatic/orca",
        "animals/mammals/aquatic/sea_lion",
        "animals/mammals/aquatic/whale",
    ),
    "equines": (
        "animals/mammals/equines/donkey",
        "animals/mammals/equines/horse",
        "animals/mammals/equines/zebra",
    ),
    "apes": ("animals/mammals/apes/chimp", "animals/mammals/apes/gorilla"),
    "cats": ("animals/mammals/cats/lion", "animals/mammals/cats/tiger"),
    "cattle": (
        "animals/mammals/bovines/bison",
        "animals/mammals/bovines/bull",
        "animals/mammals/bovines/cow",
        "animals/mammals/bovines/cow_white",
    ),
    "sheep and goats": (
        "animals/mammals/bovines/goat",
        "animals/mammals/bovines/ram",
        "animals/mammals/bovines/sheep",
        "animals/mammals/bovines/sheep_lamb",
    ),
    "dogs": ("animals/mammals/dogs/dog", "animals/mammals/dogs/fox"),
    "deer": ("animals/mammals/deer/caribou", "animals/mammals/deer/deer", "animals/mammals/deer/doe"),
    "songbirds": ("animals/birds/blackbird", "animals/birds/crow", "animals/birds/cuckoo", "animals/birds/lark"),
    "waterfowl": ("animals/birds/drake", "animals/birds/duck", "animals/birds/gander"),
    "fowl": ("animals/birds/hen", "animals/birds/rooster", "animals/birds/turkey"),
    "heron": ("animals/birds/heron_greatblue_flying",),
    "owl": ("animals/birds/owl",),
    "penguin": ("animals/birds/penguin",),
    "parrots": ("animals/birds/quetzal", "animals/birds/tucan"),
    "seagull": ("animals/birds/seagull",),
    "vulture": ("animals/birds/vulture",),
    "fire engine": ("vehicles/emergency/firetruck",),
}
"""Family -> stamps below usr/share/tuxpaint/stamps with a photo and a sound; no scene holds two of a family."""

LABELS: dict[str, str] = {
    "rubberduck": "rubber_duck",
    "scissors_small_closed": "scissors",
    "scissors_small_open": "scissors",
    "mallet_metal": "mallet",
    "camera_35mm": "camera",
    "cymbal_crash": "cymbal",
    "drum_tomtom_floor": "tom_tom",
    "xanthia": "moth",
    "pig_golden": "tamworth_pig",
    "pig_golden2": "tamworth_pig",
    "cow_white": "cow",
    "sheep_lamb": "lamb",
    "heron_greatblue_flying": "heron",
    "tucan": "toucan",
    "firetruck": "fire_truck",
}
"""Stamp -> class, where it is not the file's own name."""

DROPPED: dict[str, str] = {
    "animals/marsupials/wombat": "its recording is silent",
    "animals/mammals/giraffe": "its recording is silent",
    "animals/birds/nandou": "its recording is silent",
    "animals/mammals/rodents/beaver": "shares a recording with the badger",
    "animals/mammals/bovines/mountaingoat": "shares a recording with the ram",
}
"""Stamps with a photo and a sound that are left out, and why."""

TUXPAINT_BACKGROUNDS = ("cliff", "corn_maze", "lighthouse", "sun_behind_clouds", "sun_behind_leaves")
LOMIRI_BACKGROUNDS = ("life_by_Aitzol_Berasategi", "Picture_0B_by_freespace", "seeding_by_Clements_Engelhardt")
MATE_BACKGROUNDS = ("Garden", "Aqua", "Blinds", "FreshFlower", "RainDrops")
PLASMA_BACKGROUNDS = ("ColdRipple", "ColorfulCups", "DarkestHour", "FallenLeaf", "Kite", "summer_1am")
DETAILS_BACKGROUNDS = ("Chenonceau", "EilanDonanCastle", "FanoeWindmill", "OperaSidney", "TourEiffel")
MONUMENTS_BACKGROUNDS = (
    "egypt/bentPyramid", "france/chateaudeChenonceau", "france/citedeCarcassonne", "france/eiffelTower",
    "france/palaisdesPapes", "france/reimsCathedral", "france/rocamadour", "germany/trierImperialBaths",
    "germany/wormsCathedral", "india/hawaMahal", "india/mysorePalace", "india/qutubMinar", "india/victoriaMemorial",
    "usa/canyondeChelly", "usa/castillodeSanMarcos", "usa/fortSumter", "usa/lincolnMemorial", "wonders/chichenItza",
)  # fmt: skip
"""Photo backgrounds without animals or figures, none of which is in the training split of `paste`."""

FARM: dict[str, tuple[str, str, tuple[int, int], tuple[tuple[int, int, int, int], ...]]] = {
    "cat": ("cat", "cat", (1024, 768), ((188, 109, 1022, 563),)),
    "chicken": (
        "chickens",
        "chicken",
        (1024, 683),
        ((40, 124, 222, 517), (371, 74, 567, 508), (512, 124, 718, 558), (702, 135, 995, 607)),
    ),
    "cow": ("cow", "cow", (1024, 768), ((234, 294, 926, 690), (262, 180, 426, 283), (806, 186, 911, 273))),
    "dog": ("dog", "dog", (1024, 768), ((38, 26, 909, 729),)),
    "duck": ("duck", "duck", (1024, 966), ((122, 209, 821, 869),)),
    "horse": (
        "horse",
        "horse",
        (1024, 664),
        ((122, 207, 382, 552), (328, 225, 567, 562), (244, 425, 472, 577), (514, 302, 663, 553), (582, 230, 911, 558)),
    ),
    "owl": ("owl", "owl", (1024, 683), ((543, 140, 817, 647),)),
    "pig": ("pig", "pig", (1024, 768), ((161, 174, 632, 634),)),
    "sheep": ("sheep", "sheep", (1024, 742), ((233, 85, 728, 672),)),
}
"""GCompris farm photo -> sound, class, size (w, h), and a box an animal, drawn by eye: pixels x0, y0, x1, y1."""

"""Urbansas: both tables as published, stereo sounds of 10 s cut to 3, films of two frames a second."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from layouts import Tree
from layouts.made import RATE, filled
from make_media import make_film, tone

SIZE = (64, 48)
EVENTS = """,filename,class_id,label,non_identifiable_vehicle_sound,start,end
1077,acevedo0103_00_0,-1,-1,1,-1.0,-1.0
1078,acevedo0103_00_0,4,offscreen,0,0.449,10.0
1080,acevedo0103_00_0,2,bus,0,0.5,1.25
2001,milan1097_40165,-1,-1,1,1.0,2.0
"""
BOXES = """,frame_id,track_id,x,y,w,h,class_id,visibility,label,filename,city,location_id,time,night
0,0,1,0.0,0.0,32.0,24.0,1,1.0,car,acevedo0103_00_0,montevideo,acevedo0103,0.0,0
1,2,1,0.0,0.0,32.0,24.0,1,1.0,car,acevedo0103_00_0,montevideo,acevedo0103,0.5,0
2,2,2,32.0,24.0,40.0,24.0,2,1.0,bus,acevedo0103_00_0,montevideo,acevedo0103,0.5,0
3,2,3,16.0,12.0,16.0,12.0,2,0.0,bus,acevedo0103_00_0,montevideo,acevedo0103,0.5,0
4,4,2,32.0,24.0,32.0,24.0,2,1.0,bus,acevedo0103_00_0,montevideo,acevedo0103,1.0,0
5,6,2,32.0,24.0,32.0,24.0,2,1.0,bus,acevedo0103_00_0,montevideo,acevedo0103,1.5,0
6,6,7,8.0,8.0,16.0,16.0,3,1.0,truck,milan1097_40165,milan,milan1097,1.5,1
7,-1,-1,-1,-1,-1,-1,-1,-1,-1,lyon1029_40200,lyon,lyon1029,-1.0,0
"""


def write(folder: Path) -> Tree:
    """annotations/, audio/, video_2fps/ of two films, and a third in the tables in which no vehicle is seen."""
    for name in ("annotations", "audio", "video_2fps"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "annotations" / "audio_annotations.csv").write_text(EVENTS)
    (folder / "annotations" / "video_annotations.csv").write_text(BOXES)
    for film in ("acevedo0103_00_0", "milan1097_40165"):
        sound = np.concatenate([tone(hertz, 1.0, RATE, channels=2) for hertz in (300.0, 1200.0, 2400.0)], axis=1)
        _write_stereo(folder / "audio" / f"{film}.wav", sound)
        make_film(folder / "video_2fps" / f"{film}.mp4", num_frames=6, rate=2, size=SIZE, picture=_picture)
    return Tree(folder / "annotations", folder)


def _picture(number: int) -> np.ndarray:
    """Brighter from frame to frame."""
    picture = np.full((SIZE[1], SIZE[0], 3), 40 * number, np.uint8)
    picture[: filled().shape[0] // 2, :8] = 255
    return picture


def _write_stereo(path: Path, samples: np.ndarray) -> None:
    from soundspot.media.sound import write_wav

    write_wav(path, samples, RATE)

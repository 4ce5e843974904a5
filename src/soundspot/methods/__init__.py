"""The methods by name. One paper, one file; nothing is imported before it is asked for."""

from __future__ import annotations

import importlib
import inspect
from typing import TYPE_CHECKING

from soundspot.lookup import find, unknown
from soundspot.types import UserError

if TYPE_CHECKING:
    from soundspot.methods.base import Method, Option

METHODS: dict[str, str] = {
    "attention10k": "soundspot.methods.attention10k:Attention10k",
    "avobject": "soundspot.methods.avobject:AVObject",
    "avol": "soundspot.methods.avol:AVOL",
    "clip_audio_tran": "soundspot.methods.clip_audio_tran:CLIPAudioTran",
    "clip_text_tran": "soundspot.methods.clip_text_tran:CLIPTextTran",
    "coarse_to_fine": "soundspot.methods.coarse_to_fine:CoarseToFine",
    "dmc": "soundspot.methods.dmc:DMC",
    "dsol": "soundspot.methods.dsol:DSOL",
    "ez_vsl": "soundspot.methods.ez_vsl:EZVSL",
    "fnac": "soundspot.methods.fnac:FNAC",
    "hard_pos": "soundspot.methods.hard_pos:HardPos",
    "hear_the_flow": "soundspot.methods.hear_the_flow:HearTheFlow",
    "interference_eraser": "soundspot.methods.interference_eraser:InterferenceEraser",
    "lcbm": "soundspot.methods.lcbm:LCBM",
    "lvs": "soundspot.methods.lvs:LVS",
    "margin_nce": "soundspot.methods.margin_nce:MarginNCE",
    "ogl": "soundspot.methods.ogl:OGL",
    "rcgrad": "soundspot.methods.rcgrad:RCGrad",
    "slavc": "soundspot.methods.slavc:SLAVC",
    "sound_of_pixels": "soundspot.methods.sound_of_pixels:SoundOfPixels",
    "spot": "soundspot.methods.spot:Spot",
    "ssl_align": "soundspot.methods.ssl_align:SSLAlign",
    "ssl_tie": "soundspot.methods.ssl_tie:SSLTIE",
    "sspl": "soundspot.methods.sspl:SSPL",
}
"""name -> "module:Class"."""


def method_class(name: str) -> type[Method]:
    """The class called `name` in METHODS, or an outsider's "package.module:Class". Raises UserError."""
    from soundspot.methods.base import Method

    place = name if ":" in name else find(METHODS, name, "method")
    module, _, attribute = place.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute, None)
    except ModuleNotFoundError as error:
        if error.name is None or not (module == error.name or module.startswith(f"{error.name}.")):
            raise  # the module is there, and lacks something of its own: that is not about the name
        raise UserError(f"method {name!r}: expected a module {module!r}, got none; is it installed?") from error
    if not (isinstance(found, type) and issubclass(found, Method)):
        raise UserError(f"method {name!r}: expected a subclass of soundspot.methods.base.Method there, got {found!r}")
    return found


def method_name(method: Method) -> str:
    """The name under which `method_class` finds the class of `method`."""
    cls = type(method)
    place = f"{cls.__module__}:{cls.__qualname__}"
    return next((name for name, known in METHODS.items() if known == place), place)


def build(name: str, **options: Option) -> Method:
    """The method called `name` (or an outsider's "package.module:Class") with `options`.

    Raises UserError for unknown names and options, and for values of the wrong kind, saying what is known.
    """
    cls = method_class(name)
    parameters = inspect.signature(cls).parameters
    for option, value in options.items():
        if option not in parameters:
            raise unknown(parameters, option, f"option of {name}")
        _check_kind(option, value, parameters[option].default)
    return cls(**options)


def _check_kind(option: str, value: Option, default: object) -> None:
    """A number where the default is a number, and so on; a whole number may stand for a fraction."""
    if default is inspect.Parameter.empty:
        return
    kinds = (int, float) if type(default) is float else (type(default),)
    if type(value) not in kinds:
        raise UserError(f"option {option}: expected {type(default).__name__}, such as {default!r}, got {value!r}")

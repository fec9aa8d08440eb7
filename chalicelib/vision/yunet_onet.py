"""Finds faces in two steps: YuNet proposes them on a reduced picture, and O-Net decides on the picture itself."""

from __future__ import annotations

import numpy as np

from chalicelib.faces import DetectedFace, Found, Image
from chalicelib.vision import yunet
from chalicelib.vision.model_pack import DetectorCard, Network
from chalicelib.vision.onet import MAX_CANDIDATES, Candidates, Onet, log_odds, squared

# The picture is reduced until its smallest face has this many pixels. YuNet then needs a quarter of the time, and gives
# most small faces a low probability. The card's first threshold lets them pass, and O-Net decides.
SMALLEST = 16
# Small pictures take little time, so their longer side is not reduced below this, in pixels. YuNet then finds more
# faces that lean.
LEAST_LONGER_SIDE = 320
# The share of YuNet's log-odds in a face's; the rest is O-Net's.
YUNET_WEIGHT = 2 / 3
# Keeps log-odds finite.
CERTAIN = 0.9999


class YunetOnet:
    """Runs YuNet, as models/yunet.py converts it, and O-Net, as models/mtcnn.py does."""

    def __init__(self, card: DetectorCard, network: Network, onet: Network) -> None:
        self._card = card
        self._yunet = network
        self._onet = Onet(onet, YUNET_WEIGHT, log_odds(card.thresholds[1]))

    def detect(self, image: Image) -> Found[DetectedFace]:
        """See `Detector.detect`."""
        scale = max(SMALLEST / self._card.smallest_face, LEAST_LONGER_SIDE / max(image.shape[:2]))
        pyramid = yunet.levels(image, scale, self._card.pyramid_factor)
        faces = yunet.search(self._yunet, pyramid, self._card.thresholds[0])
        kept = yunet.suppress(faces, yunet.OVERLAP)
        left_out = len(faces) > yunet.MAX_BOXES or len(kept) > MAX_CANDIDATES
        likeliest = faces[kept[:MAX_CANDIDATES]]
        probabilities = np.clip(likeliest[:, 14], 1 - CERTAIN, CERTAIN)
        candidates = Candidates(squared(likeliest[:, :4]), np.log(probabilities / (1 - probabilities)))
        return self._onet.faces(image, pyramid, candidates, truncated=left_out)

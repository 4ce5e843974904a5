"""Metrics as functions of arrays: no state, no torch, no file reading; the published form is the default."""

from soundspot.metrics.areas import claimed, top_exactly, top_more_than
from soundspot.metrics.detection import (
    auroc,
    average_precision,
    average_precision_slavc,
    curve,
    f1_list_slavc,
    max_f1,
    max_f1_slavc,
)
from soundspot.metrics.embedding_space import alignment, gap
from soundspot.metrics.maps import confidence_max, confidence_top_quarter, enlarge, stretch
from soundspot.metrics.overlap import auc, ciou, group_of_name, iauc, iiou, pointing, size_bin, success_rate
from soundspot.metrics.recognition import multi_map, multi_precision, multi_recall, nmi
from soundspot.metrics.retrieval import ranks, recall_at
from soundspot.metrics.truth import boxes_to_cells, boxes_to_weights, mask_to_cells

__all__ = [
    "alignment",
    "auc",
    "auroc",
    "average_precision",
    "average_precision_slavc",
    "boxes_to_cells",
    "boxes_to_weights",
    "ciou",
    "claimed",
    "confidence_max",
    "confidence_top_quarter",
    "curve",
    "enlarge",
    "f1_list_slavc",
    "gap",
    "group_of_name",
    "iauc",
    "iiou",
    "mask_to_cells",
    "max_f1",
    "max_f1_slavc",
    "multi_map",
    "multi_precision",
    "multi_recall",
    "nmi",
    "pointing",
    "ranks",
    "recall_at",
    "size_bin",
    "stretch",
    "success_rate",
    "top_exactly",
    "top_more_than",
]

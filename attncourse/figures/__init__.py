"""Figures that are long, or that more than one chapter draws, and the style of all (every chapter).

| module | what it holds |
|---|---|
| `live` | figures that answer when a reader moves something |
| `live_beam` | a beam that grows over a tree of sentences (chapter 12) |
| `live_clocks` | codes of positions as clocks (chapter 08) |
| `live_desk` | a query that is turned over a desk (chapter 01) |
| `live_root` | scores divided by a power of the width (chapter 03) |
| `live_svg` | the pictures of these figures |
| `live_width` | the width of a kernel (chapter 02) |
| `live_word` | a word that asks, with any query (chapter 06) |
| `looks` | style, colours, boxes and arrows |
| `blocks` | the encoder block and its matrices (chapter 09) |
| `corners` | what a window shows of a picture, and what a judge sees (chapter 17) |
| `dates` | what came when, along a column of years (chapter 20) |
| `decoding` | what a beam keeps of a real model's sentences (chapter 12) |
| `detector` | a map of positions, and queries that look at it (chapter 16) |
| `entities` | a text with its entities, and where a word looks (chapter 14) |
| `heads` | where one word looks, once for every head (chapter 07) |
| `maps` | heatmaps, lit pictures, bands of measurements |
| `positions` | a counter beside waves (chapter 08) |
| `scenes` | pictures with boxes, and where a query looks (chapter 16) |
| `products` | attention as two products of matrices (the cheat sheet) |
| `self_attention` | a word that asks all words, and who hears whom (chapter 06) |
| `sentences` | sentences, and the recurrent translators (chapters 04 and 05) |
| `steps` | score, mask, softmax and average of one query (chapter 03) |
| `summaries` | articles with marked words, and where a headline's came from (chapter 13) |
| `transformer` | the whole Transformer, and its three attentions (chapter 10) |
"""

from attncourse.figures.blocks import encoder_block, matrices
from attncourse.figures.corners import two_judges, window_view
from attncourse.figures.dates import Event, preprint_date, timeline
from attncourse.figures.decoding import kept
from attncourse.figures.detector import query_detector
from attncourse.figures.entities import tagged_text
from attncourse.figures.heads import arcs
from attncourse.figures.live import LiveFigure
from attncourse.figures.live_beam import growing_beam
from attncourse.figures.live_clocks import turning_hands
from attncourse.figures.live_desk import turned_query
from attncourse.figures.live_root import divided_scores
from attncourse.figures.live_width import moving_width
from attncourse.figures.live_word import asking_word
from attncourse.figures.looks import (
    BLACK,
    BLUE,
    COLOURS,
    GREEN,
    ORANGE,
    PURPLE,
    RED,
    SKY,
    style,
)
from attncourse.figures.maps import bands, heatmap, spotlight
from attncourse.figures.positions import counting
from attncourse.figures.products import two_products
from attncourse.figures.scenes import scene
from attncourse.figures.self_attention import chain_and_web, one_word_asks, reached
from attncourse.figures.sentences import crossing, encoder_decoder, length_curve, looking_back
from attncourse.figures.steps import four_steps
from attncourse.figures.summaries import copy_map, marked_text
from attncourse.figures.transformer import three_attentions, whole_transformer

__all__ = [
    "BLACK",
    "BLUE",
    "COLOURS",
    "GREEN",
    "ORANGE",
    "PURPLE",
    "RED",
    "SKY",
    "Event",
    "LiveFigure",
    "arcs",
    "asking_word",
    "bands",
    "chain_and_web",
    "copy_map",
    "counting",
    "crossing",
    "divided_scores",
    "encoder_block",
    "encoder_decoder",
    "four_steps",
    "growing_beam",
    "heatmap",
    "kept",
    "length_curve",
    "looking_back",
    "marked_text",
    "matrices",
    "moving_width",
    "one_word_asks",
    "preprint_date",
    "query_detector",
    "reached",
    "scene",
    "spotlight",
    "style",
    "tagged_text",
    "three_attentions",
    "timeline",
    "turned_query",
    "turning_hands",
    "two_judges",
    "two_products",
    "whole_transformer",
    "window_view",
]

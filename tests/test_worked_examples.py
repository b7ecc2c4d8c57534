"""The two worked examples of source 001 ("Decoding attention"), computed again.

The document prints numbers that its own code does not give. The right ones are derived here by
hand; chapter 03 tells the story.
"""

from __future__ import annotations

import math

import torch

from attncourse import DotProductScore, NadarayaWatson, attend, attention_weights

FOUR_DIGITS = {"rtol": 0, "atol": 5e-5}


def rows(*numbers: list[float]) -> torch.Tensor:
    return torch.tensor(numbers, dtype=torch.float64)


def test_in_the_first_example_mouse_leads_and_not_cat():
    # query "likes" (1, 0.8); keys "cat" (0.9, 0.1), "chases" (0.8, 0.2), "mouse" (0.7, 0.9)
    #   dot products   0.9 + 0.08 = 0.98    0.8 + 0.16 = 0.96    0.7 + 0.72 = 1.42
    #   over sqrt(2)   0.69296              0.67882              1.00409
    #   exponentials   1.99963              1.97156              2.72942     sum 6.70061
    #   weights        0.29842              0.29424              0.40734
    query = rows([1.0, 0.8])
    key = rows([0.9, 0.1], [0.8, 0.2], [0.7, 0.9])
    weights = attention_weights(query, key)
    torch.testing.assert_close(weights, rows([0.2984, 0.2942, 0.4073]), **FOUR_DIGITS)
    assert weights.argmax().item() == 2
    # The document prints 0.4761, 0.2678, 0.2561, with "cat" in the lead.
    assert (weights - rows([0.4761, 0.2678, 0.2561])).abs().max() > 0.15


def test_the_output_of_the_first_example_is_the_average_with_those_weights():
    # values (1, 0.1), (0.9, 0.2), (0.8, 0.3):
    #   0.29842 * 1 + 0.29424 * 0.9 + 0.40734 * 0.8 = 0.88911, and since in each value the second
    #   number is 1.1 minus the first, the second output is 1.1 - 0.88911 = 0.21089
    output = attend(
        rows([1.0, 0.8]),
        rows([0.9, 0.1], [0.8, 0.2], [0.7, 0.9]),
        rows([1.0, 0.1], [0.9, 0.2], [0.8, 0.3]),
    )
    torch.testing.assert_close(output, rows([0.8891, 0.2109]), **FOUR_DIGITS)
    # The document prints 0.9529, 0.1797, which do not even sum to 1.1.
    assert (output - rows([0.9529, 0.1797])).abs().max() > 0.03


QUERY, KEYS = rows([2.0, 3.0, 1.0]), rows([1.0, 2.0, 1.0], [1.0, 1.0, 2.0])  # fruit; apple, orange


def test_in_the_second_example_apple_gets_three_quarters():
    # dot products 2 + 6 + 1 = 9 and 2 + 3 + 2 = 7, a gap of 2 / sqrt(3) after scaling;
    # of two, the first gets 1 / (1 + e^-gap) = 1 / (1 + e^-1.15470) = 0.76036
    weights = attention_weights(QUERY, KEYS)
    torch.testing.assert_close(weights, rows([0.7604, 0.2396]), **FOUR_DIGITS)
    torch.testing.assert_close(weights[0, 0].item(), 1 / (1 + math.exp(-2 / math.sqrt(3))))


def test_the_printed_numbers_of_the_second_example_belong_to_a_gap_of_one_half():
    # 1 / (1 + e^-0.5) = 0.62246: a quarter of the gap of 2 between the dot products
    torch.testing.assert_close(
        attention_weights(QUERY, KEYS, scale=0.25), rows([0.6225, 0.3775]), **FOUR_DIGITS
    )


def test_without_the_root_the_second_example_would_be_sharper():
    # 1 / (1 + e^-2) = 0.88080
    weights = attention_weights(QUERY, KEYS, score=DotProductScore())
    torch.testing.assert_close(weights, rows([0.8808, 0.1192]), **FOUR_DIGITS)


def test_a_gaussian_kernel_gives_the_second_example_too():
    # both keys have norm sqrt(1 + 4 + 1) = sqrt(6), so a variance of sqrt(3) replaces the scale
    assert KEYS.square().sum(-1).tolist() == [6, 6]
    kernel = NadarayaWatson("gaussian", bandwidth=3**0.25)
    output = kernel(QUERY, KEYS, rows([1.0], [0.0]))  # the weight of "apple" itself
    torch.testing.assert_close(output, rows([0.7604]), **FOUR_DIGITS)

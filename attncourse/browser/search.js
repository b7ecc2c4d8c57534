// From logits to a sentence: greedy search and beam search (chapter 12).
//
// Both begin behind a prompt, the pieces that are already written, and give the pieces after it.
// Both wait for `pause()` after each step, so that the page stays alive; it may throw to stop them.

import { BOS, EOS, UNK } from "./text.js";

/** Logarithms of the probabilities; `<unk>`, with which nobody could do anything, never comes. */
export function logSoftmax(logits) {
  const barred = Float64Array.from(logits);
  barred[UNK] = -Infinity;
  const largest = barred.reduce((a, b) => Math.max(a, b), -Infinity);
  const total = barred.reduce((sum, logit) => sum + Math.exp(logit - largest), 0);
  return barred.map((logit) => logit - largest - Math.log(total));
}

/** The places of the k largest numbers, the largest first. */
export function largestPlaces(numbers, k) {
  const places = [];
  for (let place = 0; place < numbers.length; place++) {
    if (places.length === k && numbers[place] <= numbers[places[k - 1]]) continue;
    const above = places.findIndex((other) => numbers[place] > numbers[other]);
    places.splice(above < 0 ? places.length : above, 0, place);
    if (places.length > k) places.pop();
  }
  return places;
}

/** Read the source and all of the prompt but its last piece, which the first step reads. */
function begin(model, source, prompt) {
  const begun = [BOS, ...prompt];
  let state = model.start(source);
  for (const token of begun.slice(0, -1)) ({ state } = model.step(token, state));
  return { state, last: begun.at(-1) };
}

/** Take the likeliest piece at every step. */
export async function greedy(model, source, { prompt = [], maxLength, pause = () => {} }) {
  let { state, last } = begin(model, source, prompt);
  const tokens = [];
  let logProbability = 0;
  while (tokens.length < maxLength && last !== EOS) {
    let logits;
    ({ logits, state } = model.step(last, state));
    const logProbabilities = logSoftmax(logits);
    [last] = largestPlaces(logProbabilities, 1);
    logProbability += logProbabilities[last];
    tokens.push(last);
    await pause();
  }
  return { tokens, logProbability, steps: [] };
}

/**
 * Follow the likeliest few beginnings at once, and give the sentence with the largest
 * log p(y) / ((5 + |y|) / 6)^a, where a is the length penalty.
 *
 * `steps` tells how it went: for each step the beginnings that were kept, each with its last
 * token, its log-probability, the place of the beginning that it continues, and whether it ended.
 */
export async function beamSearch(
  model, source, { prompt = [], beamSize, lengthPenalty, maxLength, pause = () => {} },
) {
  const divided = (logProbability, length) =>
    logProbability / ((5 + length) / 6) ** lengthPenalty;
  let beams = [{ ...begin(model, source, prompt), tokens: [], score: 0, finished: false }];
  let best = { tokens: [], score: -Infinity, divided: -Infinity };
  const steps = [];
  for (let length = 1; length <= maxLength; length++) {
    // Continue each open beginning with each token, and keep the likeliest of all.
    const continued = [];
    beams.forEach((beam, parent) => {
      if (beam.finished) return;
      const { logits, state } = model.step(beam.last, beam.state);
      const logProbabilities = logSoftmax(logits);
      for (const token of largestPlaces(logProbabilities, beamSize)) {
        const score = beam.score + logProbabilities[token];
        const tokens = [...beam.tokens, token];
        const finished = token === EOS || length === maxLength;
        continued.push({ parent, state, last: token, tokens, score, finished });
      }
    });
    const scores = continued.map((beam) => beam.score);
    beams = largestPlaces(scores, beamSize).map((place) => continued[place]);
    steps.push(
      beams.map(({ parent, last, score, finished, tokens }) => ({
        parent, token: last, score, finished, tokens, divided: divided(score, length),
      })),
    );
    for (const { tokens, score } of beams.filter((beam) => beam.finished)) {
      if (divided(score, length) > best.divided) {
        best = { tokens, score, divided: divided(score, length) };
      }
    }
    // An open beginning only loses probability; at best it loses none and grows to the end.
    const hope = Math.max(...beams.filter((beam) => !beam.finished).map((beam) => beam.score));
    if (!(divided(hope, maxLength) > best.divided)) break;
    await pause();
  }
  return { tokens: best.tokens, logProbability: best.score, steps };
}

/** What the model saw while it wrote these tokens, and what else it might have written. */
export function retrace(model, source, written, { candidates = 5 } = {}) {
  let state = model.start(source);
  const read = state.looks;
  const steps = [BOS, ...written.slice(0, -1)].map((token) => {
    const step = model.step(token, state);
    state = step.state;
    const logProbabilities = logSoftmax(step.logits);
    const likeliest = largestPlaces(logProbabilities, candidates).map((id) => ({
      token: id, probability: Math.exp(logProbabilities[id]),
    }));
    return { looks: step.looks, logits: step.logits, logProbabilities, likeliest };
  });
  return { read, steps };
}

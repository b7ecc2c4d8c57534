// The Transformer of chapter 10, as it reads a sentence and writes another, piece by piece.
//
//   state = model.start(source)                      source: the numbers of what is read
//   { logits, state } = model.step(token, state)     logits: one for each piece that may come next
//
// A vector is a Float32Array and a sequence is an array of vectors. Sums run in double precision.
// The names are those of `attncourse.transformer`, and so are those of the weights.

/** y = W x + b: (width) -> (new_width). W holds one row after the other. */
function linear(x, weight, bias) {
  const width = x.length;
  const y = new Float32Array(weight.length / width);
  for (let row = 0; row < y.length; row++) {
    let sum = bias ? bias[row] : 0;
    for (let i = 0, at = row * width; i < width; i++, at++) sum += weight[at] * x[i];
    y[row] = sum;
  }
  return y;
}

function dot(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

const add = (a, b) => a.map((entry, i) => entry + b[i]);
const relu = (x) => x.map((entry) => Math.max(entry, 0));

/** Mean 0 and variance 1, then a learned scale and shift (chapter 09). */
function layerNorm(x, scale, shift, eps) {
  const mean = x.reduce((sum, entry) => sum + entry, 0) / x.length;
  const variance = x.reduce((sum, entry) => sum + (entry - mean) ** 2, 0) / x.length;
  const deviation = Math.sqrt(variance + eps);
  return x.map((entry, i) => ((entry - mean) / deviation) * scale[i] + shift[i]);
}

/** From scores to weights that sum to one (chapter 03). */
export function softmax(scores) {
  const largest = scores.reduce((a, b) => Math.max(a, b), -Infinity);
  const powers = Array.from(scores, (score) => Math.exp(score - largest));
  const total = powers.reduce((sum, power) => sum + power, 0);
  return Float32Array.from(powers, (power) => power / total);
}

/** Query times each key, divided by the root of their width (chapter 03): (keys). */
export function scaledScores(query, keys) {
  return keys.map((key) => dot(query, key) / Math.sqrt(query.length));
}

/** One head: the mean of the values, weighted by how well each key answers the query. */
function attend(query, keys, values) {
  const weights = softmax(scaledScores(query, keys)); // (keys)
  const output = new Float32Array(query.length); // (head_dim)
  values.forEach((value, place) => {
    for (let i = 0; i < output.length; i++) output[i] += weights[place] * value[i];
  });
  return { weights, output };
}

export class Transformer {
  /** Heads that are switched off give zeros: "decoder.layers.3.cross_attention 0". */
  silenced = new Set();

  /** @param {Map<string, Float32Array>} weights by the names of `model.state_dict()` */
  constructor(weights, { embed_dim, num_heads, num_layers, norm_eps }) {
    Object.assign(this, { weights, embed_dim, num_heads, num_layers, norm_eps });
    this.head_dim = embed_dim / num_heads;
  }

  /** Read the source with the encoder; `looks` holds where each of its layers looked. */
  start(source) {
    const looks = {};
    let x = source.map((token, position) => this.#embed(token, position)); // (source, embed_dim)
    for (let i = 0; i < this.num_layers; i++) {
      const name = `encoder.layers.${i}`;
      const memory = this.#keysAndValues(`${name}.attention`, x);
      const seen = x.map((row) => this.#attention(`${name}.attention`, row, memory));
      looks[`${name}.attention`] = { keys: memory.keys, rows: seen };
      x = x.map((row, place) => this.#residual(`${name}.attention`, row, seen[place].output));
      x = x.map((row) => this.#feedForward(name, row)); // (source, embed_dim)
    }
    const layers = Array.from({ length: this.num_layers }, (_, i) => ({
      written: { keys: [], values: [] }, // of what is written, one a piece
      memory: this.#keysAndValues(`decoder.layers.${i}.cross_attention`, x), // of what was read
    }));
    return { position: 0, layers, looks };
  }

  /** Read one written token; give the logits of the next. The state that was given stays. */
  step(token, state) {
    const looks = {};
    let x = this.#embed(token, state.position); // (embed_dim)
    const layers = state.layers.map(({ written, memory }, i) => {
      const name = `decoder.layers.${i}`;
      const added = this.#keysAndValues(`${name}.self_attention`, [x]);
      const all = {
        keys: [...written.keys, ...added.keys],
        values: [...written.values, ...added.values],
      };
      for (const [part, cache] of [["self_attention", all], ["cross_attention", memory]]) {
        const seen = this.#attention(`${name}.${part}`, x, cache);
        looks[`${name}.${part}`] = { keys: cache.keys, rows: [seen] };
        x = this.#residual(`${name}.${part}`, x, seen.output); // (embed_dim)
      }
      x = this.#feedForward(name, x); // (embed_dim)
      return { written: all, memory };
    });
    const logits = linear(x, this.weights.get("source_embedding.weight")); // (vocabulary)
    return { logits, state: { position: state.position + 1, layers, looks: state.looks }, looks };
  }

  /** The head's part of a query or key: a slice of the features, never of the words. */
  slice(vector, head) {
    return vector.subarray(head * this.head_dim, (head + 1) * this.head_dim);
  }

  /** The token's vector times the root of the width, and the waves of its position (chapter 08). */
  #embed(token, position) {
    const width = this.embed_dim;
    const table = this.weights.get("source_embedding.weight"); // also the target's and the output's
    return table.slice(token * width, (token + 1) * width).map((entry, i) => {
      const angle = position * 10000 ** -((i - (i % 2)) / width);
      return entry * Math.sqrt(width) + Math.fround(i % 2 ? Math.cos(angle) : Math.sin(angle));
    });
  }

  /** Keys and values of a sequence, all heads side by side: (length, embed_dim) each. */
  #keysAndValues(name, x) {
    return {
      keys: x.map((row) => this.#project(`${name}.key_projection`, row)),
      values: x.map((row) => this.#project(`${name}.value_projection`, row)),
    };
  }

  /** Multi-head attention of one token (chapter 07): (embed_dim) -> (embed_dim). */
  #attention(name, x, { keys, values }) {
    const query = this.#project(`${name}.query_projection`, x); // (embed_dim)
    const joined = new Float32Array(this.embed_dim);
    const weights = []; // (heads, keys)
    for (let head = 0; head < this.num_heads; head++) {
      const of = (vector) => this.slice(vector, head); // (head_dim)
      const seen = attend(of(query), keys.map(of), values.map(of));
      weights.push(seen.weights);
      if (!this.silenced.has(`${name} ${head}`)) joined.set(seen.output, head * this.head_dim);
    }
    return { query, weights, output: this.#project(`${name}.output_projection`, joined) };
  }

  #feedForward(name, x) {
    const inside = relu(this.#project(`${name}.feed_forward.expand`, x)); // (ffn_dim)
    return this.#residual(
      `${name}.feed_forward`, x, this.#project(`${name}.feed_forward.contract`, inside),
    );
  }

  #residual(name, x, result) {
    const [scale, shift] = this.#weightAndBias(`${name}_residual.norm`);
    return layerNorm(add(x, result), scale, shift, this.norm_eps);
  }

  #project(name, x) {
    return linear(x, ...this.#weightAndBias(name));
  }

  #weightAndBias(name) {
    return [this.weights.get(`${name}.weight`), this.weights.get(`${name}.bias`)];
  }
}

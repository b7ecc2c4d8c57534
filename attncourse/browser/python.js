// The same in Python: lines to copy that print what the page shows.

/** Write the lines for a text, its search, the pieces that were given, and the heads that are off. */
export function pythonFor({ text, beam, search, prompt, silenced, head_dim }) {
  const literal = JSON.stringify(text); // Python reads it alike
  const imports = ["from attncourse.recipes import shipped"];
  const lines = ["translator = shipped().translator"];
  if (silenced.size || prompt.length) imports.unshift("import torch");
  if (silenced.size) lines.push("with torch.no_grad():  # heads that are switched off");
  for (const key of silenced) {
    const [name, head] = key.split(" ");
    const layer = name.replace(/layers\.(\d+)/, "layers[$1]");
    const columns = `${head * head_dim}:${(Number(head) + 1) * head_dim}`;
    lines.push(
      `    layer = translator.model.${layer}`,
      `    layer.output_projection.weight[:, ${columns}] = 0`,
    );
  }
  if (!prompt.length) {
    lines.push(`print(translator([${literal}]${beam ? "" : ", beam_size=1"})[0])`);
    return [...imports, "", ...lines].join("\n");
  }
  const penalty = search.lengthPenalty;
  const sizes = `"beam_size": ${search.beamSize}, "length_penalty": ` +
    (Number.isInteger(penalty) ? penalty.toFixed(1) : penalty);
  const name = beam ? "beam_search" : "greedy";
  imports.splice(1, 0,
    "from attncourse.data.vocabulary import BOS, EOS, PAD, UNK",
    `from attncourse.decoding import Barring, ${name}`);
  lines.push(
    `source = torch.tensor([translator.source.encode(translator.prepare(${literal}))])`,
    `prompt = torch.tensor([[${prompt.join(", ")}]])  # the pieces that are given`,
    'marks = {"bos": BOS, "eos": EOS, "pad": PAD, "max_length": 2 * source.shape[1] + 10}',
    `search = {${beam ? sizes : ""}}`,
    "model = Barring(translator.model, [UNK])",
    `found = ${name}(model, source, prompt=prompt, **marks, **search)`,
    "written = [*prompt[0].tolist(), *found.tokens[0].tolist()]",
    "print(translator.finish(translator.target.decode(written).split()))",
  );
  return [...imports, "", ...lines].join("\n");
}

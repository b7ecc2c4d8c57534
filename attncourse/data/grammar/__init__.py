"""A small English-French grammar with gold word alignments (chapter 04).

| module | holds |
|---|---|
| `words` | the tables of words |
| `inflection` | how words change |
| `lexicon` | the words with all their forms |
| `nominals` | a noun, its determiner, its adjectives, in both languages |
| `predicates` | a verb, or "is" and an adjective, with what follows it |
| `clauses` | clauses, sentences; the links between the languages |
| `choices` | what goes with what, and which pairs are held out |
| `drawing` | sentences drawn by chance |
"""

"""French written down by hand, for the tests of the embedded corpus: no rule makes these forms."""

from __future__ import annotations

H_MUTE = {"homme", "histoire", "horloge", "hôtel", "hôpital", "honnête", "heureux", "habiter"}
H_ASPIRATED = {"héros", "hibou", "hamster", "haricot", "huit"}
MUTE_FORMS = H_MUTE | {"hommes", "histoires", "horloges", "hôtels", "hôpitaux", "honnêtes"}
MUTE_FORMS |= {"heureuse", "heureuses", "habite", "habitons", "habitez", "habitent"}
MUTE_FORMS |= {"habitais", "habitait", "habitions", "habitiez", "habitaient"}


def starts_with_vowel(word: str) -> bool:
    return word[0] in "aeiouâàéèêîôœ" or word in MUTE_FORMS


# Every noun: whether it is feminine, and its plural.
_FEMININE = """
    femme femmes, fille filles, reine reines, actrice actrices, infirmière infirmières, sœur sœurs,
    vache vaches, souris souris, chèvre chèvres, pomme pommes, orange oranges, poire poires,
    tomate tomates, carotte carottes, viande viandes, soupe soupes, eau eaux, lettre lettres,
    histoire histoires, clé clés, tasse tasses, assiette assiettes, lampe lampes, chaise chaises,
    horloge horloges, échelle échelles, boîte boîtes, bouteille bouteilles, fenêtre fenêtres,
    porte portes, chemise chemises, robe robes, écharpe écharpes, voiture voitures, maison maisons,
    école écoles, église églises, université universités, bibliothèque bibliothèques, forêt forêts,
    rue rues, ville villes, plage plages, île îles"""
_MASCULINE = """
    homme hommes, garçon garçons, enfant enfants, roi rois, professeur professeurs,
    médecin médecins, étudiant étudiants, héros héros, oncle oncles, chien chiens, chat chats,
    cheval chevaux, oiseau oiseaux, hibou hiboux, hamster hamsters, âne ânes, œuf œufs,
    gâteau gâteaux, haricot haricots, pain pains, fromage fromages, café cafés, thé thés, jus jus,
    lait laits, livre livres, journal journaux, poème poèmes, parapluie parapluies, jouet jouets,
    miroir miroirs, sac sacs, chapeau chapeaux, manteau manteaux, uniforme uniformes, train trains,
    bateau bateaux, vélo vélos, avion avions, hôtel hôtels, hôpital hôpitaux, château châteaux,
    magasin magasins, jardin jardins, parc parcs, village villages, champ champs, pont ponts"""
NOUNS = {
    entry.split()[0]: (feminine, entry.split()[1])
    for feminine, table in ((True, _FEMININE), (False, _MASCULINE))
    for entry in table.split(",")
}

# Every adjective: masculine and feminine.
_ADJECTIVES = """
    petit petite, grand grande, vieux vieille, jeune jeune, nouveau nouvelle, beau belle, bon bonne,
    mauvais mauvaise, long longue, joli jolie, rouge rouge, noir noire, blanc blanche, vert verte,
    bleu bleue, gris grise, fatigué fatiguée, heureux heureuse, triste triste, gentil gentille,
    honnête honnête, intelligent intelligente, fier fière, curieux curieuse, malade malade,
    affamé affamée, cher chère, lourd lourde, propre propre, sale sale, utile utile,
    français française, italien italienne, intéressant intéressante, chaud chaude, froid froide,
    frais fraîche, dangereux dangereuse, calme calme, vide vide"""
FEMININE = dict(entry.split() for entry in _ADJECTIVES.split(","))
BEFORE = {"petit", "grand", "vieux", "jeune", "nouveau", "beau", "bon", "mauvais", "long", "joli"}


def plural(word: str) -> str:
    """Add what the adjectives and participles of the corpus add."""
    return word if word[-1] in "sx" else word + ("x" if word.endswith("eau") else "s")


# What a form can be: (feminine, plural) for each reading.
ADJECTIVE_FORMS: dict[str, set[tuple[bool, bool]]] = {"bel": {(False, False)}}
ADJECTIVE_FORMS |= {"vieil": {(False, False)}, "nouvel": {(False, False)}}
for _masculine, _feminine in FEMININE.items():
    for _word, _reading in (
        (_masculine, (False, False)),
        (plural(_masculine), (False, True)),
        (_feminine, (True, False)),
        (plural(_feminine), (True, True)),
    ):
        ADJECTIVE_FORMS.setdefault(_word, set()).add(_reading)
BEFORE_FORMS = {"bel", "vieil", "nouvel"} | {
    form for word in BEFORE for form in (word, plural(word), FEMININE[word], plural(FEMININE[word]))
}
NOUN_FORMS: dict[str, set[tuple[bool, bool]]] = {}
for _one, (_gender, _many) in NOUNS.items():
    NOUN_FORMS.setdefault(_one, set()).add((_gender, False))
    NOUN_FORMS.setdefault(_many, set()).add((_gender, True))

MASCULINE_ONE, FEMININE_ONE = (False, False), (True, False)
EITHER_ONE, MANY = {MASCULINE_ONE, FEMININE_ONE}, {(False, True), (True, True)}
DETERMINER_FORMS = {
    "le": {MASCULINE_ONE}, "la": {FEMININE_ONE}, "l'": EITHER_ONE, "les": MANY,
    "un": {MASCULINE_ONE}, "une": {FEMININE_ONE}, "des": MANY, "du": {MASCULINE_ONE},
    "au": {MASCULINE_ONE}, "aux": MANY, "ce": {MASCULINE_ONE}, "cet": {MASCULINE_ONE},
    "cette": {FEMININE_ONE}, "ces": MANY, "ma": {FEMININE_ONE}, "sa": {FEMININE_ONE},
    "mon": EITHER_ONE, "son": EITHER_ONE, "notre": EITHER_ONE, "votre": EITHER_ONE,
    "leur": EITHER_ONE, "chaque": EITHER_ONE, "mes": MANY, "ses": MANY, "nos": MANY,
    "vos": MANY, "leurs": MANY, "plusieurs": MANY, "deux": MANY, "trois": MANY,
    "quatre": MANY, "cinq": MANY, "six": MANY, "sept": MANY, "huit": MANY, "neuf": MANY,
    "dix": MANY,
}  # fmt: skip

"""The tables of words behind the embedded corpus, English and French (chapter 04).

They are text, so that they can be read, checked and extended by hand; `lexicon` reads them. Forms
that follow a rule are left out and made by `inflection`.
"""

from __future__ import annotations

# English singular, and its plural where it is irregular; French likewise; gender.
NOUNS = {
    "person": """
        man/men homme m; woman/women femme f; boy garçon m; girl fille f; child/children enfant m;
        king roi m; queen reine f; teacher professeur m; doctor médecin m; student étudiant m;
        actress actrice f; hero/heroes héros/héros m; nurse infirmière f; uncle oncle m;
        sister sœur f""",
    "animal": """
        dog chien m; cat chat m; horse cheval m; bird oiseau m; owl hibou/hiboux m; cow vache f;
        mouse/mice souris f; hamster hamster m; donkey âne m; goat chèvre f""",
    "food": """
        apple pomme f; orange orange f; pear poire f; egg œuf m; cake gâteau m;
        tomato/tomatoes tomate f; carrot carotte f; bean haricot m""",
    "dish": "bread pain m; meat viande f; cheese fromage m; soup soupe f",
    "drink": "coffee café m; tea thé m; juice jus m",
    "liquid": "water eau f; milk lait m",
    "text": "book livre m; letter lettre f; newspaper journal m; story histoire f; poem poème m",
    "object": """
        key clé f; cup tasse f; plate assiette f; lamp lampe f; chair chaise f; clock horloge f;
        umbrella parapluie m; toy jouet m; mirror miroir m; ladder échelle f""",
    "container": "box boîte f; bag sac m; bottle bouteille f",
    "opening": "window fenêtre f; door porte f",
    "clothes": """
        hat chapeau m; coat manteau m; shirt chemise f; dress robe f; scarf/scarves écharpe f;
        uniform uniforme m""",
    "vehicle": "car voiture f; train train m; boat bateau m; bicycle vélo m; plane avion m",
    "building": """
        house maison f; school école f; hotel hôtel m; hospital hôpital m; church église f;
        castle château m; shop magasin m; university université f; library bibliothèque f""",
    "area": """
        garden jardin m; park parc m; forest forêt f; street rue f; village village m;
        city ville f; field champ m""",
    "spot": "beach plage f; bridge pont m; island île f",
}
MASS = frozenset({"dish", "drink", "liquid"})
# Nobody says "my island"; "my man" means something else.
UNOWNED = frozenset({"area", "spot", "man", "woman", "boy", "girl", "actress", "hero"})

# English; French masculine, and what is irregular: feminine, then masculine before a vowel; the
# kinds of noun it describes. The first group stands before the noun, the second after it.
ADJECTIVES = {
    "before": """
        small petit: person animal food object container opening vehicle building area
        big grand: animal object container opening vehicle building area
        old vieux/vieille/vieil: person animal text object opening clothes vehicle building
        young jeune: person animal
        new nouveau/nouvelle/nouvel: text object container opening clothes vehicle building
        beautiful beau/belle/bel: person animal text object clothes vehicle building area spot
        good bon/bonne: food dish drink text
        bad mauvais: food dish drink text
        long long/longue: text
        pretty joli: object clothes building area spot""",
    "after": """
        red rouge: object container opening clothes vehicle
        black noir: animal object container clothes vehicle
        white blanc/blanche: animal object opening clothes vehicle building
        green vert: object container opening clothes vehicle
        blue bleu: object container clothes vehicle
        grey gris: animal clothes vehicle
        tired fatigué: person animal
        happy heureux/heureuse: person
        sad triste: person animal text
        kind gentil/gentille: person
        honest honnête: person
        clever intelligent: person animal
        proud fier/fière: person
        curious curieux/curieuse: person animal
        sick malade: person animal
        hungry affamé: person animal
        expensive cher/chère: object container clothes vehicle
        heavy lourd: object container
        clean propre: object opening clothes vehicle building
        dirty sale: object opening clothes vehicle animal
        useful utile: object container text
        french français: person text vehicle
        italian italien/italienne: person text clothes vehicle
        interesting intéressant: text
        hot chaud: dish drink liquid
        cold froid: dish drink liquid
        fresh frais/fraîche: food liquid
        dangerous dangereux/dangereuse: area spot
        quiet calme: area spot
        empty vide: container building""",
}
# Those of the first group that may follow "is".
PREDICATIVE = frozenset({"small", "big", "old", "young", "beautiful"})

# English base, its past where irregular ("!" for none: "they read" would have two translations),
# and after a comma its preposition. French infinitive, and where it is irregular the forms of je,
# il, nous, vous, ils and the participle; after a comma its preposition. Then who does it to what
# (and after ">" to whom). Marks: "être" forms its past with être, "state" takes the imperfect.
VERBS = """
    sleep slept | dormir dors dort dormons dormez dorment dormi | person; animal
    sing sang | chanter | person
    dance | danser | person
    swim swam | nager | person
    work | travailler | person
    rest | se reposer | person; animal
    hurry | se dépêcher | person
    stop stopped | se arrêter | person; animal; vehicle
    run ran | courir cours court courons courez courent couru | person; animal
    fall fell | tomber | person; animal; object; food | être
    arrive | arriver | person; animal; vehicle | être
    stay | rester | person; animal; vehicle | être
    eat ate | manger | person: food dish; animal: food
    drink drank | boire bois boit buvons buvez boivent bu | person: drink liquid; animal: liquid
    see saw | voir vois voit voyons voyez voient vu \
        | person: person animal object vehicle building; animal: person animal food
    hear heard | entendre | person: person animal vehicle; animal: person animal vehicle
    buy bought | acheter achète achète achetons achetez achètent acheté \
        | person: object container clothes vehicle food dish text
    sell sold | vendre | person: object container clothes vehicle food dish text
    read ! | lire lis lit lisons lisez lisent lu | person: text
    write wrote | écrire écris écrit écrivons écrivez écrivent écrit | person: text
    open | ouvrir ouvre ouvre ouvrons ouvrez ouvrent ouvert | person: container opening
    close | fermer | person: container opening
    find found | trouver | person: object clothes text animal; animal: food liquid
    lose lost | perdre | person: object clothes text
    look, for | chercher | person: object clothes text person animal; animal: food animal person
    look, at | regarder | person: person animal object vehicle building; animal: person animal
    wait, for | attendre | person: person vehicle text; animal: person
    listen, to | écouter | person: person text; animal: person
    break broke | casser | person: object
    wash | laver | person: clothes vehicle food animal opening
    wear wore | porter | person: clothes | state
    love | aimer | person: person animal dish drink area; animal: person | state
    know knew | connaître connais connaît connaissons connaissez connaissent connu \
        | person: person building area; animal: person | state
    follow | suivre suis suit suivons suivez suivent suivi \
        | person: person animal vehicle; animal: person animal; vehicle: vehicle
    help | aider | person: person
    choose chose | choisir | person: clothes object food text
    hide hid | cacher | person: object food text clothes
    visit | visiter | person: building area
    cross | traverser | person: area spot; animal: area spot; vehicle: area spot
    give gave | donner | person: object text clothes food > person
    show | montrer | person: object text clothes animal > person
    go went, to | aller vais va allons allez vont allé, à | person: building | être
    come came, from | venir viens vient venons venez viennent venu, de \
        | person: building area spot; animal: area spot; vehicle: area | être
    live, in | habiter, dans | person: building area; animal: building area | state
    speak spoke, to | parler, à | person: person animal
    play, with | jouer, avec | person: person animal; animal: person animal
    enter | entrer, dans | person: building; animal: building | être
    say said | dire dis dit disons dites disent dit | person: clause
    think thought | penser | person: clause | state
    know knew | savoir sais sait savons savez savent su | person: clause | state"""

# Words that translate as a whole. After a French word: "/" and the English words that it renders,
# counted from 0; "?" and those that it may be linked with.
PHRASES = {
    "preposition": {
        "in": "dans/0",
        "on": "sur/0",
        "near": "près/0 de?0",
        "behind": "derrière/0",
        "in front of": "devant/1?02",
        "far from": "loin/0 de/1",
        "with": "avec/0",
        "without": "sans/0",
        "for": "pour/0",
        "to": "à/0",
    },
    "conjunction": {
        "and": "et/0",
        "but": "mais/0",
        "because": "parce/0 que?0",
        "when": "quand/0",
    },
    "frequency": {"often": "souvent/0", "always": "toujours/0", "rarely": "rarement/0"},
    "question": {"why": "pourquoi/0", "when": "quand/0"},
    "present": {"today": "aujourd'hui/0", "every day": "chaque/0 jour/1", "now": "maintenant/0"},
    "past": {
        "yesterday": "hier/0",
        "this morning": "ce/0 matin/1",
        "last week": "la?01 semaine/1 dernière/0",
    },
    "future": {"tomorrow": "demain/0", "soon": "bientôt/0"},
}

NUMERALS = {
    "two": "deux",
    "three": "trois",
    "four": "quatre",
    "five": "cinq",
    "six": "six",
    "seven": "sept",
    "eight": "huit",
    "nine": "neuf",
    "ten": "dix",
}
# Masculine, feminine, plural. "Some" and "many" are not one word in French: see the grammar.
DETERMINERS = {
    "the": ("le", "la", "les"),
    "a": ("un", "une", ""),
    "this": ("ce", "cette", ""),
    "these": ("", "", "ces"),
    "my": ("mon", "ma", "mes"),
    "your": ("votre", "votre", "vos"),
    "his": ("son", "sa", "ses"),
    "her": ("son", "sa", "ses"),
    "our": ("notre", "notre", "nos"),
    "their": ("leur", "leur", "leurs"),
    "every": ("chaque", "chaque", ""),
    "several": ("", "", "plusieurs"),
    **{english: ("", "", french) for english, french in NUMERALS.items()},
}
# Subject: French, which of the five forms of a verb it takes, plural. "You" is the polite word to
# one person; where nothing is known of a gender the masculine stands, as is usual in French.
PRONOUNS = {
    "i": ("je", 0, False),
    "he": ("il", 1, False),
    "she": ("elle", 1, False),
    "we": ("nous", 2, True),
    "you": ("vous", 3, False),
    "they": ("ils", 4, True),
}
OBJECTS = {"him": "le", "her": "la", "them": "les", "me": "me", "us": "nous"}
CAPITALS = frozenset({"i", "french", "italian"})  # written small here, as all words are

#!/usr/bin/env python3
"""Write the example data: maintenance/, reviews/, failures/ and garments/, each train.csv, dev.csv and test.csv, voices/ as .ts, and
orders/orders.csv, one file as a register gives it.

The texts are put together from phrases written for this project; nothing is taken from another data set. The same seed
gives the same bytes. Needs nothing but Python's standard library.

  python3 dsl_examples/data/generate.py [--seed 7] [--out FOLDER]
"""

import argparse
import csv
import math
import pathlib
import random

SIZES = {"train": 1500, "dev": 200, "test": 200}

# ---------------------------------------------------------------------------------------------------------------------
# Work orders: something is broken (`failure`), or the work was planned (`routine`).

MACHINES = {
    "pump": ["feed pump", "sump pump", "slurry pump", "coolant pump", "dosing pump", "booster pump"],
    "belt": ["conveyor", "belt 3", "belt 7", "bucket elevator", "transfer conveyor"],
    "press": ["press 2", "stamping press", "forging press", "brake press"],
    "vehicle": ["forklift 4", "loader", "haul truck 12", "reach truck", "yard crane"],
    "air": ["compressor", "air dryer", "blower 1", "extraction fan", "cooling tower"],
    "drive": ["mill drive", "gearbox A", "main spindle", "mixer", "agitator 5", "kiln drive"],
    "line": ["filler", "labeller", "palletiser", "shrink tunnel", "capping head", "depalletiser"],
}
PARTS = {
    "pump": ["shaft seal", "impeller", "suction valve", "coupling", "motor", "discharge hose", "pressure switch"],
    "belt": ["idler", "tail pulley", "belt splice", "drive motor", "scraper", "guard", "pull cord"],
    "press": ["ram", "hydraulic hose", "light curtain", "die clamp", "clutch", "pressure switch", "control valve"],
    "vehicle": ["mast chain", "front tyre", "steering cylinder", "battery", "horn", "radiator", "park brake"],
    "air": ["intake filter", "drive belt", "bearing", "drain valve", "oil separator", "motor", "vibration sensor"],
    "drive": ["gearbox", "output bearing", "coupling", "encoder", "oil cooler", "inverter", "motor"],
    "line": ["photo eye", "servo", "infeed star", "glue nozzle", "chain guide", "heater", "reject gate"],
}
FAULT_STATES = ["leaking", "seized", "burst", "tripping on overload", "running hot", "very noisy", "not starting",
                "jammed", "cracked", "worn through", "snapped", "blocked", "stuck open", "stuck closed",
                "sheared off", "losing pressure", "vibrating badly", "dead", "slipping", "smoking", "reading wrong",
                "intermittent", "out of alignment", "short circuited", "coming loose"]
FAULT_FRAMES = [
    "{machine} {part} {state}", "{part} {state} on {machine}", "{machine} down, {part} {state}",
    "{machine} stopped: {part} {state}", "{part} on {machine} found {state} at start of shift",
    "operator reports {machine} {part} {state}", "{machine} {part} {state}, need fitter", "replace {part} on {machine}, {state}",
    "{machine} {part} {state} again after last repair", "repair {machine} {part} - {state}",
    "{part} {state} during night shift, {machine} isolated", "urgent: {machine} {part} {state}",
    "{machine} will not run, {part} {state}", "change {part} {machine} {state}", "{machine} alarm, {part} {state}",
    "service {machine} found {part} {state}", "{part} {state} since service of {machine}",
]
BROKEN_SHORT = ["no power to {machine}", "{machine} won't start", "{machine} keeps stopping", "oil all over floor at {machine}",
                "{machine} broken down", "{machine} lost prime", "{machine} making a grinding noise",
                "{machine} fault code {code}", "burning smell from {machine}", "water coming out of {machine}"]
TASKS = ["inspect", "grease", "check", "clean", "adjust", "calibrate", "top up", "sample oil of", "lubricate", "measure wear of",
         "torque check", "test", "replace", "change out", "swap", "paint", "label", "photograph"]
PLANS = ["weekly", "monthly", "as per schedule", "at next shutdown", "every 500 hours", "planned", "annual", "before audit",
         "per checklist", "during shutdown", "for spring campaign", "wo {code}", "as preventive measure", "routine"]
PLAN_FRAMES = [
    "{task} {part} on {machine}, {plan}", "{plan} {task} {machine} {part}", "{task} {machine} {part} {plan}",
    "{plan}: {task} {part} of {machine}", "{machine} {hours} hour service", "{hours} hr service {machine}, change filters",
    "{task} {part} {machine}", "fit new guard to {machine}", "install {part} upgrade on {machine}", "modify {part} bracket {machine}",
    "{machine} {part} due for replacement {plan}", "{task} {machine} {part}, no {state_noun} found",
    "check {machine} for {state_noun} {plan}", "order spare {part} for {machine}", "assist contractor with {machine} {part}",
    "{plan} thermography of {machine}", "rotate {part} {machine} {plan}", "set up {machine} for new product",
    "vibration reading {machine} {part} {plan}", "test run {machine} after repair of {part}",
    "replace {part} {machine} {plan}, not yet worn", "move {machine} to bay {bay}",
]
STATE_NOUNS = ["leak", "leaks", "wear", "cracks", "damage", "looseness", "overheating", "noise"]
ENDINGS = ["", "", "", "", "", "", " pls", " asap", " - see photo", ", bay {bay}", " (line {bay})", " thx", " - tag {code}", " L/H", " R/H"]
SHORT_FORMS = {"replace": ["repl", "r/r"], "hydraulic": ["hyd"], "gearbox": ["g/box"], "conveyor": ["conv", "cnvr"],
               "pressure": ["press."], "motor": ["mtr"], "bearing": ["brg"], "compressor": ["comp"], "change": ["chg"],
               "inspect": ["insp"], "service": ["svc", "serv"], "check": ["chk"], "hours": ["hrs"], "monthly": ["mthly"],
               "leaking": ["lkg"], "valve": ["vlv"], "cylinder": ["cyl"], "repair": ["rpr"], "vibration": ["vib"]}


def misspelt(word, rng):
    if len(word) < 4 or not word.isalpha():
        return word
    at = rng.randrange(1, len(word) - 1)
    kind = rng.randrange(3)
    if kind == 0:
        return word[:at] + word[at + 1:]
    if kind == 1:
        return word[:at] + word[at + 1] + word[at] + word[at + 2:]
    return word[:at] + word[at] + word[at:]


def handwritten(text, rng, typos):
    words = []
    for word in text.split(" "):
        if word in SHORT_FORMS and rng.random() < 0.35:
            word = rng.choice(SHORT_FORMS[word])
        elif rng.random() < typos:
            word = misspelt(word, rng)
        words.append(word)
    text = " ".join(words)
    style = rng.random()
    if style < 0.45:
        return text.upper()
    if style < 0.6:
        return text[0].upper() + text[1:] + rng.choice(["", "."])
    return text


def workOrder(rng):
    kind = rng.choice(list(MACHINES))
    fill = dict(machine=rng.choice(MACHINES[kind]), part=rng.choice(PARTS[kind]), state=rng.choice(FAULT_STATES),
                state_noun=rng.choice(STATE_NOUNS), task=rng.choice(TASKS), code=rng.randrange(100, 999),
                bay=rng.randrange(1, 9), hours=rng.choice([250, 500, 1000, 2000]))
    fill["plan"] = rng.choice(PLANS).format(**fill)
    failure = rng.random() < 0.45
    frames = (BROKEN_SHORT if rng.random() < 0.12 else FAULT_FRAMES) if failure else PLAN_FRAMES
    text = (rng.choice(frames) + rng.choice(ENDINGS)).format(**fill)
    # Some orders are filed under the wrong kind, as in any real register.
    if rng.random() < 0.035:
        failure = not failure
    return handwritten(text, rng, 0.03), "failure" if failure else "routine"


# ---------------------------------------------------------------------------------------------------------------------
# Reviews of household goods: `positive` or `negative`.

GOODS = ["kettle", "backpack", "desk lamp", "rain jacket", "frying pan", "headset", "office chair", "bike light", "blender",
         "notebook", "water bottle", "phone case", "running shoes", "wool blanket", "garden hose", "toaster"]
ASPECTS = ["the handle", "the zip", "the colour", "the fabric", "the lid", "the battery", "the fit", "the packaging",
           "the finish", "the weight", "the size", "the instructions", "the delivery", "customer service"]
GOOD = ["is excellent", "feels solid", "works perfectly", "is better than expected", "looks lovely", "looks like new after months",
        "is spot on", "is a joy to use", "exceeded my hopes", "is well made", "is so comfortable", "never lets me down"]
BAD = ["broke after a week", "feels cheap", "is useless", "fell apart", "looks nothing like the photo", "smells awful",
       "stopped working", "is far too small", "is a let down", "is poorly made", "leaks everywhere", "is a waste of money"]
LOVE = ["love this {good}.", "very happy with the {good}.", "best {good} i have owned!", "great {good} for the price.",
        "bought a second {good} for my sister.", "would recommend this {good} to anyone.", "five stars for this {good}."]
HATE = ["so disappointed with this {good}.", "sent the {good} back.", "do not buy this {good}!", "i wanted to like this {good}.",
        "save your money, avoid this {good}.", "the {good} went straight in the bin.", "asked for a refund on the {good}."]
NEUTRAL = ["i use it most days.", "ordered the {good} in blue.", "it came in a plain box.", "i am about average height.",
           "my old {good} was from another brand.", "i read a lot of reviews before buying.", "it was a gift.",
           "we have had it since march.", "the {good} arrived on a tuesday."]
TURNS = ["but ", "although ", "to be fair, ", "on the other hand, ", "still, "]
NEGATIONS = {True: ["not bad at all.", "no complaints.", "nothing to fault here.", "can't say a bad word about it."],
             False: ["not good.", "not worth it.", "nothing like as good as they claim.", "can't say i love it."]}


def review(rng):
    positive = rng.random() < 0.6
    good = rng.choice(GOODS)
    own, other = (GOOD, BAD) if positive else (BAD, GOOD)
    parts = []
    if rng.random() < 0.75:
        parts.append(rng.choice(LOVE if positive else HATE))
    parts += rng.sample(NEUTRAL, rng.randrange(0, 3))
    parts += [f"{aspect} {rng.choice(own)}." for aspect in rng.sample(ASPECTS, rng.randrange(1, 4))]
    if rng.random() < 0.4:
        parts.append(f"{rng.choice(TURNS)}{rng.choice(ASPECTS)} {rng.choice(other)}.")
    if rng.random() < 0.3:
        parts.append(rng.choice(NEGATIONS[positive]))
    first, rest = parts[0], parts[1:]
    rng.shuffle(rest)
    sentences = [part.format(good=good) for part in [first, *rest]]
    if rng.random() < 0.7:
        sentences = [sentence[0].upper() + sentence[1:] for sentence in sentences]
    words = " ".join(sentences).split(" ")
    text = " ".join(misspelt(word, rng) if rng.random() < 0.02 else word for word in words)
    if rng.random() < 0.05:
        text = text.replace(". ", ".\n\n", 1)
    if rng.random() < 0.05:
        text = f'They call it "{good} of the year". {text}'
    if rng.random() < 0.035:
        positive = not positive
    return text, "positive" if positive else "negative"


# ---------------------------------------------------------------------------------------------------------------------
# A table of machines: does one fail? Four causes, each of which a straight line through the numbers would miss.

MACHINE_COLUMNS = ["type", "air_temperature", "process_temperature", "rotational_speed", "torque", "tool_wear", "failure"]


def machine(rng):
    kind = rng.choices(["L", "M", "H"], [6, 3, 1])[0]
    air = rng.gauss(300, 2)
    process = air + rng.gauss(10, 1)
    speed = 1170 + rng.gammavariate(4, 90)
    torque = max(4.0, 61000 / speed + rng.gauss(0, 7))
    wear = rng.randrange(0, 250)
    power = torque * speed * 0.1047
    failed = (process - air < 8.8 and speed < 1450) or power < 3800 or power > 8600
    failed = failed or wear > 225 or wear * torque > {"L": 10500, "M": 11500, "H": 12500}[kind]
    if rng.random() < 0.01:
        failed = not failed
    return [kind, f"{air:.1f}", f"{process:.1f}", f"{speed:.0f}", f"{torque:.1f}", wear, int(failed)]


# ---------------------------------------------------------------------------------------------------------------------
# Reviews of garments, with the age of who wrote them and the department: recommended or not, and a rating.

GARMENT_COLUMNS = ["text", "age", "department", "recommended", "rating"]
GARMENTS = {"Tops": ["blouse", "tee", "sweater"], "Dresses": ["dress", "gown"], "Bottoms": ["jeans", "skirt", "trousers"], "": ["scarf"]}


def garment(rng):
    department = rng.choice(list(GARMENTS))
    age = int(min(90, max(18, rng.gauss(43, 13))))
    # Of one department the young think less, of another the old.
    taste = {"Tops": 0, "Dresses": (age - 43) / 13, "Bottoms": (43 - age) / 13, "": 0.3}[department] * 0.6
    liking = rng.gauss(0.6, 0.8) + taste
    good = rng.choice(GARMENTS[department])
    own, other = (GOOD, BAD) if liking > 0 else (BAD, GOOD)
    parts = [f"{aspect} {rng.choice(own if rng.random() < 0.8 else other)}." for aspect in rng.sample(ASPECTS, rng.randrange(1, 4))]
    parts += rng.sample(NEUTRAL, rng.randrange(0, 3))
    rng.shuffle(parts)
    rating = min(5, max(1, round(3.4 + 1.2 * liking + rng.gauss(0, 0.3))))
    return [" ".join(parts).format(good=good), age, department, int(liking + rng.gauss(0, 0.2) > 0), rating]


def writeTable(folder, columns, make, rng):
    folder.mkdir(parents=True, exist_ok=True)
    for split, size in SIZES.items():
        with open(folder / f"{split}.csv", "w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(columns)
            rows.writerows(make(rng) for _ in range(size))


# ---------------------------------------------------------------------------------------------------------------------
# Voices: an utterance is a series of twelve numbers a step, longer or shorter. Each speaker glides in a way of his own.

SPEAKERS = ["Ada", "Ben", "Cleo"]
UTTERANCES = {"train": 30, "dev": 9, "test": 12}


def utterance(speaker, rng):
    steps, tone = rng.randrange(7, 18), rng.gauss(0, 0.2)
    dimensions = []
    for d in range(12):
        phase = tone + 0.9 * d + 0.5 * speaker * (d % 4)
        dimensions.append(",".join(f"{math.sin(phase + (2 + speaker) * i / steps) + rng.gauss(0, 0.25):.3f}" for i in range(steps)))
    return ":".join(dimensions) + ":" + SPEAKERS[speaker]


def writeVoices(folder, rng):
    folder.mkdir(parents=True, exist_ok=True)
    for split, size in UTTERANCES.items():
        lines = ["# Written by generate.py.", "@problemName Voices", "@timeStamps false", "@missing false", "@univariate false",
                 "@dimensions 12", "@equalLength false", "@classLabel true " + " ".join(SPEAKERS), "@data"]
        lines += [utterance(i % len(SPEAKERS), rng) for i in range(size)]
        (folder / f"{split}.ts").write_text("\n".join(lines) + "\n", encoding="utf-8")


def write(folder, make, rng):
    folder.mkdir(parents=True, exist_ok=True)
    seen = set()
    for split, size in SIZES.items():
        with open(folder / f"{split}.csv", "w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(["text", "label"])
            written = 0
            while written < size:
                text, label = make(rng)
                # No text twice, however it is spaced or cased: not within a split and not in two.
                key = " ".join(text.lower().split())
                if key not in seen:
                    seen.add(key)
                    rows.writerow([text, label])
                    written += 1


# ---------------------------------------------------------------------------------------------------------------------
# One raw file: work orders of three sites with empty cells, repeated rows and several names for one kind of work.

KIND_NAMES = {"failure": ["failure", "Failure", "FAILURE ", "breakdown"], "routine": ["routine", "Routine", " routine", "planned", "PM"],
              "rebuild": ["rebuild"], "warranty": ["warranty"]}


def writeOrders(path, rng):
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = []
    for number in range(900):
        text, label = workOrder(rng)
        if number % 90 == 7:
            label, text = ("rebuild", "rebuild " + text) if rng.random() < 0.5 else ("warranty", text + ", warranty claim")
        kind = rng.choices(KIND_NAMES[label], [6, 3, 1, 1, 1][:len(KIND_NAMES[label])])[0]
        chance = rng.random()
        kind = "" if chance < 0.03 else "n/a" if chance < 0.05 else kind
        rows.append([f"WO{number:05}", rng.choice(["North", "South", "north ", "Test bench"]), "" if rng.random() < 0.02 else text, kind,
                     rng.choice([1, 1, 1, 2, 3])])
        if rng.random() < 0.08:
            again = list(rows[rng.randrange(len(rows))])
            again[0] = f"WO{number:05}-2"
            again[2] = again[2].upper() if rng.random() < 0.5 else again[2]
            rows.append(again)
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["Order", "Site", "Text", "Kind", "Reports"])
        table.writerows(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent)
    options = parser.parse_args()
    write(options.out / "maintenance", workOrder, random.Random(f"maintenance {options.seed}"))
    write(options.out / "reviews", review, random.Random(f"reviews {options.seed}"))
    writeTable(options.out / "failures", MACHINE_COLUMNS, machine, random.Random(f"failures {options.seed}"))
    writeTable(options.out / "garments", GARMENT_COLUMNS, garment, random.Random(f"garments {options.seed}"))
    writeVoices(options.out / "voices", random.Random(f"voices {options.seed}"))
    writeOrders(options.out / "orders" / "orders.csv", random.Random(f"orders {options.seed}"))


if __name__ == "__main__":
    main()

#include "compiler/diagnostics/registry.h"

#include <algorithm>
#include <unordered_map>

namespace penstock::diagnostics {

namespace {

constexpr Severity error = Severity::error;
constexpr Severity warning = Severity::warning;

const std::vector<DiagnosticInfo> entries = {
    // ---- L: bytes and tokens
    {"source-not-utf8", error, "L1", "the file is not valid UTF-8 here", "a `.pipe` file is UTF-8 text", "save the file as UTF-8", ""},
    {"invalid-character", error, "L2", "{character} has no meaning here",
     "outside strings and comments only letters, digits and the signs of the grammar may stand", "", "remove it, or put it into a string"},
    {"unterminated-string", error, "L3", "the string is not closed on its line", "a string ends with `\"` on the line where it began",
     "write the closing `\"`", ""},
    {"invalid-escape", error, "L4", "`{escape}` is not an escape", "a backslash in a string stands before `\"`, `\\`, `n` or `t`",
     "write `\\\\` for a backslash", ""},
    {"number-out-of-range", error, "L5", "`{text}` is too large for {kind}",
     "integers have 64 bits, other numbers are finite and of double precision", "write a smaller number", ""},
    {"malformed-number", error, "L6", "`{text}` is not a number",
     "digits may be followed by a fraction, an exponent or `%`, by nothing else", "", "separate the number from what follows it"},
    {"file-too-large", error, "L7", "the file is larger than 4 MiB", "a `.pipe` file has at most 4 MiB", "move data out of the file", ""},

    // ---- G: syntax
    {"missing-edition", error, "G1", "the file does not begin with its edition",
     "the edition pins the grammar, the defaults and the in-tree plugins", "write `pipe 1` on the first line", ""},
    {"unknown-edition", error, "G2", "edition {edition} is not known", "this version of Penstock knows edition 1", "write `pipe 1`", ""},
    {"expected", error, "G3", "expected {expected}, found {found}", "{rule}", "{hint}", "write {expected}"},
    {"unclosed", error, "G4", "`{open}` is not closed", "every bracket is closed before its entry or block ends", "write `{close}`", ""},
    {"nesting-too-deep", error, "G5", "brackets are nested deeper than {limit}", "an expression is nested at most {limit} deep",
     "bind parts of the expression to names", ""},
    {"unknown-item", error, "G6", "`{name}` does not begin anything",
     "a file consists of `pipeline`, `param`, `import`, `use`, `layer`, `head` and blocks", "did you mean `{nearest}`?",
     "remove it, or see the grammar"},
    {"misplaced-entry", error, "G7", "{entry} has no place in {block}", "{rule}", "{hint}", "remove it, or move it to where it belongs"},
    {"not-in-edition", error, "G8", "{what} is not part of edition 1", "the edition knows it only as a name that is kept for later",
     "remove it", ""},
    {"duplicate-block", error, "G9", "a second `{block}`", "a file has one `{block}`", "join the two", ""},
    {"unknown-unit", error, "G10", "`{unit}` is not a unit", "a unit is {units}", "did you mean `{nearest}`?", "write a unit of the list"},
    {"missing-block", error, "G11", "the pipeline has no `{block}` block", "a pipeline needs `data` and `model`", "add `{block} { ... }`",
     ""},
    {"missing-pipeline", error, "G12", "the file has a `{block}` block and no `pipeline`",
     "only a pipeline has blocks; a file without one is a library of layers and heads", "write `pipeline NAME` after the edition", ""},

    // ---- N: names
    {"unknown-name", error, "N1", "nothing is named `{name}` here",
     "a value is a param, a column, a feature, a binding or a parameter of the layer", "did you mean `{nearest}`?",
     "bind it before it is used"},
    {"unknown-callable", error, "N2", "nothing named `{name}` can be called here",
     "operations, layers, heads, plugins and bound instances can be called", "{hint}",
     "define or import it, or declare the plugin with `use`"},
    {"duplicate-name", error, "N3", "`{name}` is declared twice", "within values, and within callables, a name has one meaning",
     "choose another name", ""},
    {"value-called", error, "N4", "`{name}` is a value and cannot be called", "values and callables are two name spaces", "",
     "write the name of an operation, layer, head or plugin"},
    {"callable-as-value", error, "N5", "`{name}` is called, it is not a value", "a callable stands in a flow, or with `(...)`",
     "write `{name}(...)`, or let a value flow into it", ""},
    {"import-not-found", error, "N6", "`{path}` cannot be read: {detail}", "the path of an `import` is relative to the file that has it",
     "", "correct the path; an import is a regular file"},
    {"import-cycle", error, "N7", "`{path}` imports itself, directly or through others", "imports have no cycles",
     "move what both need into a third file", ""},
    {"import-unknown", error, "N8", "`{path}` has no layer or head named `{name}`", "`import` takes layers and heads by name",
     "did you mean `{nearest}`?", "import a name that the file declares"},
    {"recursive-layer", error, "N9", "`{name}` uses itself", "layers and heads are expanded, so they have no recursion",
     "use `repeat(n, ...)`", ""},
    {"plugin-not-found", error, "N10", "no {kind} `{name}` is in `{folder}`",
     "a plugin is a folder with `plugin.toml` below the folder that `use` names", "did you mean `{nearest}`?",
     "correct the name or the folder"},
    {"plugin-version", error, "N11", "`{name}` has version {version}, not {wanted}",
     "`@ N` names the major version that the file was written for", "write `@ {major}` after reading what changed", ""},
    {"bad-manifest", error, "N12", "{detail}", "a plugin is described by a `plugin.toml` that can be read", "", "correct the manifest"},
    {"unused-feature", warning, "N13", "the feature `{name}` is not used", "the model reads only the features that it names",
     "use it or remove it", ""},

    // ---- V: values
    {"wrong-type", error, "V1", "`{name}` takes {expected}, not {found}", "there are no implicit conversions", "{hint}",
     "write {expected}"},
    {"out-of-range", error, "V2", "`{name}` is {value}", "`{name}` must be {rule}", "{hint}", "write a value in that range"},
    {"not-a-member", error, "V3", "`{value}` is not a value of `{name}`", "`{name}` is {members}", "{hint}", "write one of them"},
    {"param-without-value", error, "V4", "the param `{name}` has no value",
     "a param without a default gets its value from the command line", "add `--set {name}=...`, or a default", ""},
    {"unknown-type", error, "V5", "`{name}` is not a type", "{rule}", "did you mean `{nearest}`?", "write one of these types"},
    {"search-without-default", error, "V6", "`search` has no default", "outside `tune` the default is the value", "add `default: ...`", ""},
    {"search-default-outside", error, "V7", "the default {value} is not in the search space",
     "the default is one of the values that the search may try", "choose a default from the space", ""},
    {"empty-range", error, "V8", "the range is empty",
     "a range runs from the smaller to the larger value; a space has at least one value; `scale: log` needs positive ends",
     "correct its ends", ""},
    {"bad-operands", error, "V9", "`{operator}` does not take {left} and {right}",
     "arithmetic takes numbers, model values of one type, or a path and a string", "", "convert or remove one of them"},
    {"inexact-division", error, "V10", "{left} / {right} is not a whole number", "division of integers must be exact, since dimensions are",
     "choose numbers that divide", ""},
    {"division-by-zero", error, "V11", "division by zero", "no number is the result", "correct the divisor", ""},
    {"arithmetic-overflow", error, "V12", "the result does not fit into 64 bits", "integers have 64 bits", "choose smaller numbers", ""},
    {"not-a-float32", error, "V16", "{number} is larger than any number of the model", "values of the model are float32, at most 3.4e38",
     "write a smaller number", ""},
    {"set-structure", error, "V17", "`--set` cannot change `{name}`, which the file makes: `{value}`",
     "a setting, a param and a parameter of a call have values; what calls there are is said by the file",
     "`{nearest}` is a parameter of it", "change the file"},
    {"set-unknown", error, "V13", "`--set` names `{name}`, which does not exist",
     "an undotted name is a param; a dotted one is a setting of a block, or an argument of its call", "did you mean `{nearest}`?",
     "name a param or a setting of the file; what stands in `features` and `model` is set by a param"},
    {"set-without-call", error, "V14", "`--set {name}` names an argument, but `{setting}` is not a call",
     "a dotted name below a setting is a named argument of its call", "set `{setting}` itself", ""},
    {"depends-on-data", error, "V15", "`{name}` of `{callable}` is known only when the data have been read",
     "what says how data are read does not depend on them", "write a number that does not come from `count` or `width`", ""},

    // ---- C: calls
    {"unknown-argument", error, "C1", "`{callable}` has no parameter `{name}`", "`{callable}` takes {parameters}",
     "did you mean `{nearest}`?", "remove it"},
    {"duplicate-argument", error, "C2", "`{name}` is given twice", "a parameter gets one value", "remove one of them", ""},
    {"missing-argument", error, "C3", "`{callable}` needs `{name}`", "`{name}` has no default", "write `{name}: ...`", ""},
    {"too-many-arguments", error, "C4", "`{callable}` takes no further argument",
     "arguments without a name fill the parameters in their order", "remove it, or name it", ""},
    {"positional-after-named", error, "C5", "an argument without a name stands after a named one", "arguments without names come first",
     "name it, or move it", ""},
    {"missing-input", error, "C6", "`{callable}` has no input `{name}`", "a call is given its inputs by a flow, or as its first arguments",
     "write `{example}`", ""},
    {"instance-as-value", error, "C7", "`{name}` makes an instance here, not a value",
     "a call without its input is an instance: it is bound to a name of its own and called there", "let a value flow into it", ""},
    {"bad-repeat", error, "C8", "`repeat` repeats a call", "`repeat(n, call)` takes a layer or an operation that has one input",
     "write `repeat(4, block(...))`", ""},
    {"arguments-of-instance", error, "C9", "the instance `{name}` already has its arguments", "a bound instance takes only its inputs",
     "remove the arguments", ""},
    {"instance-of-two-shapes", error, "C10", "`{name}` is {shape} here and {before} in another call",
     "the calls of one instance share its weights", "give it values of one width, or call an instance of its own", ""},

    // ---- D: data and features
    {"missing-source", error, "D1", "the `data` block has no `source`", "records come from a source", "write `source: csv(...)`", ""},
    {"unknown-choice", error, "D2", "`{value}` is not {what}", "{what} is {choices}", "did you mean `{nearest}`?", "write one of them"},
    {"unknown-capture", error, "D3", "the path captures `{capture}`", "a path captures `{split}` only", "did you mean `{split}`?", ""},
    {"path-not-local", error, "D15", "the path has the part `{part}`", "a source's path names files of this machine: {rule}", "{hint}", ""},
    {"no-files", error, "D41", "no file fits `{pattern}`", "a pattern names at least one file: {found}", "",
     "correct the pattern, or the param that gives its folder"},
    {"source-files", error, "D42", "{detail}",
     "a source has one path or a list of them for all splits, or files of each split, of train at least", "",
     "write `{callable}(train: \"a.csv\", dev: [\"b.csv\", \"c.csv\"])`"},
    {"missing-split", error, "D4", "nothing says which records are for training", "a path has `{split}`, or its source flows into `split`",
     "write `{split}` into the path, or `|> split(dev: 10%, test: 10%)` after the source", ""},
    {"redundant-split", error, "D5", "the records are split twice", "a path with `{split}` is split already", "remove one of them", ""},
    {"bad-shares", error, "D6", "the shares add up to {sum}", "the shares of train, dev and test add up to 100%, and train has some",
     "correct the shares", ""},
    {"bad-class-list", error, "D7", "{detail}", "a list of classes has at least two strings, all different", "correct the list", ""},
    {"feature-without-tokenizer", error, "D8", "the feature `{name}` is nothing that a model reads",
     "a feature of texts ends with a tokenizer, others with numbers or a class", "end the flow with a tokenizer, such as `words`", ""},
    {"feature-not-text", error, "D9", "the flow begins with {found}", "a feature begins with a text column", "{hint}",
     "begin with a column declared `text(...)`"},
    {"not-a-pair", error, "D13", "texts in the list: {count}", "a feature is made of one text column, or of a pair of them",
     "write `[question, answer] |> ...`", ""},
    {"bad-row-operator", error, "D23", "`{op}` does not take {found}", "{rule}", "", "write `{form}`"},
    {"bad-cell-operator", error, "D28", "{detail}", "{rule}", "", "{hint}"},
    {"missing-table", error, "D29", "the table cannot be read: {detail}",
     "a table is a csv file of this machine, of two columns without a header", "correct its path", ""},
    {"split-by-one", error, "D25", "{detail}", "`by` splits records by the hash of a cell, `order` by their place in an order",
     "write one of them, such as `split(by: column)`", ""},
    {"bad-split", error, "D27", "{detail}",
     "by a hash records are split by shares or in folds, each class for itself where `stratify` says so; by an order they are split by "
     "shares",
     "", "{hint}"},
    {"no-order", error, "D26", "{detail}", "rows stand in the order of numbers or times that all of them have", "", "{hint}"},
    {"bad-series", error, "D24", "{detail}", "a record of a series is some rows of one unit", "", "{hint}"},
    {"not-one-number", error, "D16", "`{op}` takes one number a record, not {count}", "a class is made of one number", "",
     "write a flow for each column"},
    {"nothing-missing", error, "D17", "no cell of `{name}` can be missing",
     "`{op}` gives a number where the column says that it may be missing", "", "write `number(missing: [\"\"])`, or leave `{op}` out"},
    {"missing-not-filled", error, "D18", "cells of `{name}` may be missing", "only `fill` takes a number that may be missing", "",
     "write `{name} |> fill(median)` first"},
    {"missing-target", error, "D19", "cells of the target `{name}` may be missing", "every record has what is predicted", "",
     "leave `missing` out, and correct the data"},
    {"bad-name-range", error, "D20", "`{first}` does not lead to `{last}`",
     "a range of names runs from a number at the end of a name to a greater one, and has at most 65,536: `s_1..s_21`", "",
     "write names that differ in it alone"},
    {"from-of-columns", error, "D21", "one header for several columns", "each column of `columns` has the header of its name", "",
     "leave `from` out, or declare them one by one"},
    {"fill-of-column", error, "D22", "`number` has no `fill`", "what stands for a missing number is said where it flows", "",
     "write `number(missing: [\"\"])` here and `{name} |> fill({by})` where it is read"},
    {"truncate-without-pair", error, "D14", "`truncate` for a single text",
     "it says which text of a pair gives way; a single text is cut at its end", "leave it out", ""},
    {"whole-text-of-words", error, "D40", "`{name}` makes tokens of several words, and `{column}` is a list of words",
     "the tokens of a list are those of each word, so that answers can be led back to the words",
     "leave `{name}` out, or declare `{column}` as `text()`", ""},
    {"no-columns", error, "D10", "the `data` block declares no column", "the model reads and predicts columns",
     "write `column text = text()`", ""},
    {"bad-line-columns", error, "D11", "`columns` {problem}", "`columns` lists the names of the columns of a line, each once",
     "write `columns: [\"word\", \"tag\"]`", ""},
    {"column-not-list", error, "D12", "`{name}` is a {type} column of a `conll` source",
     "a record of CoNLL is a list of lines, so its columns are lists: `words` or `tags`", "declare it `words()` or `tags()`", ""},

    // ---- M: the model
    {"type-mismatch", error, "M1", "`{op}` takes {expected}, not {found}", "{rule}", "{hint}", "give it {expected}"},
    {"needs-pooling", error, "M2", "`{op}` needs one vector a record and gets a sequence",
     "the language does not choose how a sequence becomes a vector", "write the pooling, such as `|> pool(max)`", ""},
    {"needs-tokenizer", error, "M3", "`{op}` gets the text column `{name}`", "text becomes ids by a tokenizer",
     "write a tokenizer first, such as `{name} |> words`", ""},
    {"shape-mismatch", error, "M4", "`{op}` gets {left} and {right}", "{rule}", "make the two the same", ""},
    {"heads-do-not-divide", error, "M5", "{heads} heads do not divide a width of {width}", "each head gets the same share of the width",
     "choose a number of heads that divides {width}", ""},
    {"wrong-target", error, "M6", "`{op}` predicts {expected}, and `{name}` is {found}",
     "the target of a head is a column of the type that it predicts", "{hint}", "choose another head or column"},
    {"no-inverse", error, "M18", "`{op}` on the target `{name}` has no inverse",
     "answers are of the column, so what is predicted leads back to it", "", "leave `{op}` out"},
    {"target-as-input", error, "M7", "`{name}` is a target and an input", "what the model predicts is not known when it is used",
     "remove it from the inputs", ""},
    {"no-answer", error, "M8", "the model gives no answer", "a binding of `model` ends with a head", "write `answer = ... |> {example}`",
     "declare a column that is predicted, and end a binding with a head"},
    {"model-too-large", error, "M9", "the model expands to more than {limit} operations", "expansion is bounded, so that it always ends",
     "repeat less", ""},
    {"layer-without-result", error, "M10", "the layer `{name}` gives nothing", "the last entry of a layer is an expression, its result",
     "end the layer with an expression", ""},
    {"head-without-answer", error, "M11", "the head `{name}` gives no answer", "a head sets `answer:`", "write `answer: ...`", ""},
    {"class-weights-count", error, "M12", "`{name}` has {given} numbers; classes: {classes}", "there is one weight a class",
     "give {classes} weights", ""},
    {"class-weights-zero", error, "M17", "every class weight is 0", "a record of a class of weight 0 has no part in the loss", "",
     "give some class a weight"},
    {"positions-too-few", error, "M13", "`positions` has {positions} places and `{axis}` may have {length}",
     "every row of a record needs a place", "write `{setting}: {positions}` at {where}, or a larger `max`", ""},
    {"shadowed-result", error, "M14", "an expression stands before the end of the layer `{name}`",
     "only the last entry of a layer is an expression; it is the result", "bind it to a name", ""},
    {"prefix-without-weights", error, "M15", "`{name}` has no weights to decay", "`l2` sums the squares of the weights below a name",
     "name a binding that has weights", ""},

    {"tags-without-words", error, "M16", "`{op}` cannot tag with `{name}`: {problem}",
     "a tag belongs to a word: what is tagged is a sequence made of a words column, and a tags column belongs to one such sequence",
     "tokenize a column declared `words()`", ""},

    // ---- P: pretrained encoders
    {"encoder-sizes", error, "P1", "the encoder has a folder and `{name}`", "the folder's `config.json` gives every size",
     "remove `{name}`, or the folder", ""},
    {"model-unusable", error, "P2", "the model in `{folder}` cannot be used: {detail}",
     "a pretrained model is a folder with `config.json` and `model.safetensors`, as Hugging Face's libraries write it",
     "give the folder of such a model", ""},
    {"model-incomplete", error, "P3", "the model in `{folder}` {detail}",
     "every weight of the encoder is in the files, with the shape that `config.json` says", "get the folder again, or give another one",
     ""},
    {"vocabulary-mismatch", error, "P4", "`{axis}` has {tokens} tokens and the encoder {rows} rows for them",
     "the encoder has a row for each token of its own vocabulary", "give the tokenizer the vocabulary of the encoder's folder", ""},
    {"vectors-unusable", error, "P7", "the vectors in `{file}` cannot be used: {detail}",
     "a line of the file has a token and its numbers, between spaces, as word2vec and fastText write them", "give such a file", ""},
    {"vectors-width", error, "P8", "`{file}` has {stored} numbers for each token, and the embedding {width}",
     "a row of the table begins as the file's row of its token", "write `embedding({stored}, file: ...)`", ""},
    {"vectors-of-class", error, "P9", "`file` on a class", "a file of vectors has rows for tokens", "leave `file` out", ""},
    {"pooler-absent", warning, "P5", "the model in `{folder}` has no pooler",
     "`bert_pooler` takes the pooler's weights from the encoder's folder", "its weights begin at random", ""},
    {"model-keys-unread", warning, "P6", "`config.json` of the model in `{folder}` has keys that are not read: {keys}",
     "an encoder is what its own keys say; Transformers may do something with others",
     "write in the pipeline what they should do, or remove them from `config.json`", ""},

    // ---- T: training, settings and target
    {"unknown-setting", error, "T1", "`{block}` has no setting `{name}`", "`{block}` has {settings}", "{hint}", "remove it"},
    {"duplicate-setting", error, "T2", "`{name}` is set twice", "a setting has one value", "remove one of them", ""},
    {"epochs-and-steps", error, "T3", "both `epochs` and `steps` are set", "one of them says when training ends", "remove one of them", ""},
    {"objective-needed", error, "T4", "the model has {count} answers, and `train` does not say what to minimize",
     "several losses are weighed by the file, not by the language", "write `minimize: {example}`",
     "give one of them a loss, or leave out `train`"},
    {"objective-not-scalar", error, "T5", "`minimize` is {found}", "training minimizes one number a batch: a loss or a sum of losses",
     "write the loss of an answer: `{example}`", ""},
    {"nothing-to-train", error, "T6", "the model has no weights", "`train` adjusts weights",
     "remove `train`, or add an operation with weights", ""},
    {"answer-without-loss", error, "T7", "the answer `{name}` has no loss", "training minimizes a loss",
     "add `loss:` to the head, write `minimize:`, or leave out `train` where nothing is to be trained", ""},
    {"missing-evaluation", error, "T8", "`{split}.{name}` is not measured", "`keep` and `expect` use results of the `evaluate` block",
     "{hint}", "add a metric to `evaluate { {split}: [...] }`"},

    {"unknown-weights", error, "T9", "`{name}` names no weights of the model",
     "`moves`, `freeze` and `rates` name bindings and instances by their paths", "did you mean `{nearest}`?",
     "see the paths that `penstock explain --resolved` prints"},
    {"instances-too-few", error, "T13", "`{selection}` goes past the {count} of `{name}`",
     "ordinals of instances begin at 0 and end before their number", "write `{range}`", ""},
    {"not-layers", error, "T10", "`{name}` is not a row of layers",
     "`decay` counts the layers that follow a weight, so it names layers without their numbers", "",
     "write the name that they share: `encoder.layers`, or `h.block` for `h.block_0`, `h.block_1`, ..."},
    {"all-frozen", error, "T11", "every weight of the model is frozen", "`train` adjusts the weights that are not",
     "freeze less, or remove `train`", ""},
    {"decision-of-classes", error, "M19", "`{name}` of `{head}` is for {wanted} classes, and `{column}` has {classes}",
     "with more classes the most probable one is answered", "",
     "leave it out; `reject` leaves out answers that are not sure enough, `class_weights` moves the model towards a class"},
    {"no-such-class", error, "E10", "`{class}` is no class of `{name}` in train", "a class is named as train has it",
     "did you mean `{nearest}`?", "write one that it has, such as `{example}`"},
    {"fit-without-dev", error, "M20", "`{name}: {fit}` is fitted on dev, which has no records",
     "what decides is fitted on records that the weights have not seen", "", "give dev a share, or write a number"},
    {"keep-without-validation", error, "T12", "`keep: best({result})` with `validate: never`",
     "the best weights are those of the best evaluation on dev during training", "", "write `validate: every(1 epoch)`, or `keep: last`"},
    {"bad-weights", error, "T22", "{detail}", "`weights` names a column of numbers that says what each record counts in losses and metrics",
     "", "{hint}"},
    {"objective-without-name", error, "T14", "an objective without a name", "its name is that of its loss in results, and of its settings",
     "write `objective NAME { ... }`", ""},
    {"duplicate-objective", error, "T15", "a second objective `{name}`", "objectives have different names", "rename one of them", ""},
    {"objective-named-as-setting", error, "T16", "the objective `{name}` has the name of a setting of `train`",
     "its settings are called `train.NAME.SETTING`", "rename it", ""},
    {"setting-of-objectives", error, "T17", "`{name}` stands in `train`, which has objectives", "each objective has its own `{name}`",
     "{hint}", "move it into the blocks `objective`"},
    {"objective-incomplete", error, "T18", "the objective `{name}` has no `{setting}`",
     "an objective says what it minimizes, and which weights it moves", "write `{setting}: {example}`", ""},
    {"moved-twice", error, "T19", "`{name}` is moved by two objectives", "a weight has one optimizer", "let one of them move it", ""},
    {"unmoved-weights", warning, "T20", "no objective moves `{name}`{others}", "what no objective moves stays as it begins",
     "add it to `moves` of an objective, or to `freeze`", ""},
    {"objective-without-weights", error, "T21", "what the objective `{name}` minimizes reads no weight that it moves",
     "an objective adjusts weights that its loss depends on", "move weights that `minimize` reads, or remove the objective", ""},

    // ---- E: evaluation
    {"unknown-split", error, "E1", "`{name}` is not a split", "the splits are `train`, `dev` and `test`", "{hint}", "write one of them"},
    {"wrong-plugin-kind", error, "E2", "`{name}` is a {kind}, not a {wanted}", "{rule}", "", "write a {wanted}"},
    {"metric-not-for-answer", error, "E3", "`{metric}` judges {expected}, and `{answer}` is {found}",
     "a metric judges answers of its own type", "choose another metric", ""},
    {"answer-needed", error, "E4", "`{metric}` does not say which answer it judges", "the model has several answers",
     "write `{metric}(answer: {example})`", "choose a metric that judges one of the answers"},
    {"duplicate-metric", error, "E5", "`{name}` is measured twice on `{split}`", "results have one value each", "remove one of them", ""},
    {"bad-expect", error, "E6", "the bound of `{name}` is {found}", "{rule}", "{hint}", "write a number, such as `0.8`"},
    {"unknown-quantity", error, "E9", "`{name}` is nothing that `{block}` expects", "{rule}", "{hint}", "write one of them"},
    {"split-without-share", error, "E8", "`{result}` is never measured: the data have no `{split}`",
     "what is measured, kept or expected is of splits that have records", "give `{split}` a share in `split(...)`, or choose another split",
     ""},
    {"bound-out-of-range", warning, "E7", "`{result}` lies {range}, the bound is {bound}", "such an `expect` holds always or never",
     "{hint}", "write a bound that the result can reach"},

    // ---- F: the data itself
    {"missing-file", error, "F1", "`{path}` cannot be read: {detail}", "it is named here", "",
     "correct the path, or set the param that gives it"},
    {"missing-column", error, "F2", "the data have no column `{name}`", "`{file}` has {columns}", "{hint}", "correct `from:`"},
    {"undeclared-class", error, "F3", "`{value}` is not a declared class of `{name}`", "{where}: the classes are {classes}",
     "did you mean `{nearest}`?", "add it to the list, or correct the data"},
    {"class-new-to-run", error, "F42", "{where}: `{name}` has classes that the run which training begins with does not know: {classes}",
     "its classes are {known}, and its weights have numbers for these alone", "",
     "write `grow: true` in `train`: the new ones then stand behind its own, and their weights begin as any; or train without `from`"},
    {"empty-split", error, "F4", "the split `{split}` has no records", "training and evaluation need records", "",
     "correct the files or the shares"},
    {"order-leaves-none", error, "F29", "the split `{split}` gets no rows: {detail}",
     "rows with equal `{name}` stay together, and test, then dev take such groups from the end until they have their shares",
     "name a column with more values, or give the splits other shares", ""},
    {"malformed-row", error, "F5", "{where}: {detail}",
     "records are as RFC 4180 (CSV) or JSON Lines say, have the columns that `conll` lists, or are as the plugin reads them",
     "correct the file", ""},
    {"not-text", error, "F20", "`{file}` is {what}", "data files are text in UTF-8, and this one is {what}", "{remedy}", ""},
    {"not-utf8", error, "F6", "{where}: byte {byte} is not UTF-8", "data files are UTF-8 where their source says no other encoding",
     "{hint}", "convert the file, for example with `iconv`"},
    {"bad-rows", warning, "F43", "rows with mistakes: {records}; they are left out, of the {allowed} that `skip_bad` allows",
     "the first: {where}: {detail}", "correct the file", ""},
    {"leakage", warning, "F7", "records of `{b}` that are also in `{a}`: {records} ({share})",
     "a record in both makes the measure look better than it is; for example: {example}", "remove them from one of the two", ""},
    {"unit-leakage", warning, "F30", "units of `{b}` that are also in `{a}`: {units}, such as `{unit}` ({other}; {where})",
     "a model knows a unit that it was trained on, which makes the measure look better than it is",
     "put all rows of a unit into one file, or give different units different names", ""},
    {"class-absent-from-train", warning, "F8", "the class `{value}` of `{name}` is not in train",
     "a model cannot learn a class without an example", "add examples, or remove the class", ""},
    {"rare-class", warning, "F40", "{what} of `{name}` with one or two records in train: {classes}",
     "so few examples teach a model next to nothing, and dev or test may have none", "",
     "add records, put them into one with another, or leave them out"},
    {"unknown-words", warning, "F41", "{share} of the tokens of `{feature}` in train are unknown to the run that training begins with",
     "ids mean what they meant there, so its vocabulary stays, and what it lacks is one unknown token", "",
     "train without `from` where these words matter, or on its data and these together"},
    {"new-class", warning, "F23", "records with a value of `{name}` that train lacks: {records}",
     "`one_hot` and `embedding` give zeros for it; `{value}` is one of {values}", "", "train on records that have it, where it matters"},
    {"list-as-class", warning, "F22", "the class `{value}` of `{name}` reads like a list",
     "a `class` column has one class a record, and takes this text for its name",
     "where records have several, declare the column with `set()`", ""},
    {"truncation", warning, "F9", "`max_length` cuts {share} of the texts", "what is cut the model does not see", "raise `max_length`", ""},
    {"operator-domain", error, "F24", "{where}: `{operator}` does not take {value}, of `{name}`", "it takes {rule}", "",
     "correct the data, or put `clip` before it"},
    {"order-repeats", error, "F26", "{where}: `{unit}` has another row with this `{name}`", "the rows of a unit stand in one order", "",
     "correct the data, or name a column that tells them apart"},
    {"short-units", warning, "F27", "units of `{split}` with fewer than {length} rows, and no record: {units}",
     "a record of the series has {length}", "give `series` a smaller `length`, or `short: repeat_first`", ""},
    {"no-long-units", error, "F28", "no unit of `{split}` has {length} rows", "a record of the series has so many, so there is none",
     "give `series` a smaller `length`, or `short: repeat_first`", ""},
    {"operator-remark", warning, "F25", "`{operator}` of `{name}`: {detail}", "what an operator keeps of train is that of train alone", "",
     "see whether the column is what it should be"},
    {"missing-cell", error, "F10", "{where}: `{name}` is empty", "a missing value is an error unless the column says otherwise", "{hint}",
     "correct the data"},
    {"bad-number", error, "F11", "{where}: `{value}` is not a {type}", "`{name}` is a {type} column",
     "correct the data, or list the text in `missing: [...]` and `fill` where it is read", ""},
    {"bad-weight", error, "F32", "{where}: the record weighs `{value}`", "a record counts 0 times or more", "correct the data", ""},
    {"bad-table", error, "F31", "line {line} of the table of `{name}`: {detail}",
     "`map` reads a csv file of two columns, an old and a new text", "correct the table", ""},
    {"data-unreadable", error, "F12", "the data cannot be checked: {detail}",
     "the checks that need data were left out; all others were made", "", "correct what the message names"},
    {"one-class", error, "F13", "`{name}` has one class in train", "a classifier needs at least two classes", "", "correct the data"},
    {"no-room-for-text", error, "F14", "`max_length` has no room for the {special} special tokens around each text", "special tokens count",
     "raise `max_length`", ""},
    {"bad-tag", error, "F15", "{where}: `{value}` is not a tag of the scheme of `{name}`",
     "a tag is `O`, or a letter of the scheme, `-` and a type", "", "correct the data, or the `scheme:`"},
    {"tag-sequence", warning, "F16", "{where}: {value} cannot follow {before} in the scheme of `{name}`",
     "such a tag is read as conlleval reads it: it goes on with a chunk of its type, or begins one", "correct the data, or the `scheme:`",
     ""},
    {"tokenizer-remark", warning, "F21", "{detail}", "`{plugin}` remarks this of its parameters and the files that they name",
     "make them say the same", ""},
    {"unequal-lists", error, "F17", "{where}: `{name}` has {found} items, the columns before it {expected}",
     "the words and the tags of a record are lists of one length", "correct the data", ""},

    {"quoted-line-end", warning, "F18", "records with a quoted cell that holds a line end and a delimiter: {records}",
     "a quote too many makes one cell of all up to the next quote, and records vanish into it; {where} {like}",
     "look at it; where quotes are plain characters write `csv(..., quote: none)`, and where cells are meant to hold lines all is well",
     ""},
    {"bad-list", error, "F19", "{where}: {detail}", "a list in a cell is a JSON array of strings, such as [\"pump\", \"leak\"]",
     "write the cells so, in Python with `json.dumps(list)`; a text that only looks like a list is the one item of one", ""},

    // ---- X: the machinery
    {"internal-mistake", error, "X1", "a mistake of Penstock: {detail}", "this is not your file's fault", "report it with the file", ""},
};

} // namespace

const std::vector<DiagnosticInfo> &registry() { return entries; }

const DiagnosticInfo *findDiagnostic(std::string_view id) {
  static const auto index = [] {
    std::unordered_map<std::string_view, const DiagnosticInfo *> map;
    for (const DiagnosticInfo &entry : entries) {
      map.emplace(entry.id, &entry);
    }
    return map;
  }();
  const auto found = index.find(id);
  return found == index.end() ? nullptr : found->second;
}

std::string fillTemplate(std::string_view text, const Arguments &arguments, bool *complete) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '{') {
      const std::size_t close = text.find('}', i);
      const std::string_view name = close == std::string_view::npos ? std::string_view{} : text.substr(i + 1, close - i - 1);
      const bool placeholder = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) { return c >= 'a' && c <= 'z'; });
      if (placeholder && name != "split") {
        const auto found = arguments.find(std::string(name));
        if (found == arguments.end() || found->second.empty()) {
          if (complete != nullptr) {
            *complete = false;
          }
        } else {
          out += found->second;
        }
        i = close;
        continue;
      }
      // `{split}` is also what a path captures: without an argument of that name it stands for itself.
      if (placeholder) {
        if (const auto found = arguments.find("split"); found != arguments.end()) {
          out += found->second;
          i = close;
          continue;
        }
      }
    }
    out += text[i];
  }
  return out;
}

std::string diagnosticsPage() {
  std::string out = "# Diagnostics\n\nMade from the registry by `penstock-docs`; do not edit. `{...}` stands for what a message fills in. "
                    "The clauses are those of [the specification](../spec/language.md).\n";
  std::vector<const DiagnosticInfo *> sorted;
  for (const DiagnosticInfo &entry : entries) {
    sorted.push_back(&entry);
  }
  std::sort(sorted.begin(), sorted.end(), [](const auto *a, const auto *b) { return a->id < b->id; });
  for (const DiagnosticInfo *entry : sorted) {
    out += "\n## " + std::string(entry->id) + "\n\n";
    out += std::string(entry->severity == Severity::error ? "Error" : "Warning") + ", clause " + std::string(entry->clause) + ".\n\n";
    out += "- message: " + std::string(entry->message) + "\n";
    if (!entry->reason.empty()) {
      out += "- reason: " + std::string(entry->reason) + "\n";
    }
    if (!entry->fix.empty()) {
      out += "- fix: " + std::string(entry->fix) + "\n";
    }
    if (!entry->otherwise.empty()) {
      out += std::string(entry->fix.empty() ? "- fix: " : "- or: ") + std::string(entry->otherwise) + "\n";
    }
  }
  return out;
}

} // namespace penstock::diagnostics

// The checks of names, values and types, and the expansion of the model. Internal to the front end: frontend.h is its door.
//
// One checker runs once over a program. Without facts, sizes that only the data know (vocabularies, numbers of classes) are
// `unknownSize`, and what depends on them is not judged; with facts the same run knows them all. So both phases of a check
// follow the same rules, and what the first reported the second reports again, word for word.
#pragma once

#include "compiler/frontend/encoders.h"
#include "compiler/frontend/facts.h"
#include "compiler/frontend/frontend.h"
#include "compiler/frontend/signatures.h"
#include "compiler/frontend/unit.h"

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace penstock::frontend {

enum class Origin { standard, file, search, commandLine };
const char *originName(Origin origin);

struct Instance;

/// A feature on its way: a text column or a pair of them, its cleaning, and at the end its tokenizer.
struct FeatureDraft {
  std::string column, second; // second: "" where there is one
  struct Step {
    std::string op, plugin; // clean; or tokenize, with a plugin
    Attributes attributes;
    std::map<std::string, Origin> origins;
    std::map<std::string, Span> spans; // of the arguments
    std::int64_t maxLength = 0;
    std::string truncate; // of a pair
    Span span;            // of the call
  };
  std::vector<Step> steps;
  bool tokenized = false;
  Span span, maxLengthSpan;
};

struct Value {
  enum class Kind {
    error,   // reported already
    unknown, // a layer's input while the layer alone is checked: everything may be done with it
    boolean,
    integer,  // unknownSize where not known
    floating, // NaN where not known
    string,
    path, // absolute
    word, // of an enumeration param
    quantity,
    list,
    range,
    column,
    draft,
    feature,
    node,
    head,
    instance
  };
  Kind kind = Kind::error;
  Origin origin = Origin::file;
  bool flag = false;
  std::int64_t integer = 0;
  double number = 0;
  std::string text; // also: name of a column or feature, unit of a quantity
  std::vector<Value> items;
  int node = -1, loss = -1, head = -1; // head: node is its answer
  std::string target;                  // head: column that it predicts
  std::string decoder;
  Attributes decoderAttributes;
  bool learner = false; // head: the decoder is a learner
  std::shared_ptr<FeatureDraft> draft;
  std::shared_ptr<Instance> instance;

  bool isModel() const {
    return kind == Kind::unknown || kind == Kind::column || kind == Kind::draft || kind == Kind::feature || kind == Kind::node ||
           kind == Kind::head;
  }
};

struct Callable {
  enum class Kind { none, builtin, definition, head, tokenizer, metric, clean, repeat, width, count, l2, instance };
  Kind kind = Kind::none;
  std::string name;
  const BuiltinOp *op = nullptr;
  const Definition *definition = nullptr;
  const Unit *unit = nullptr;
  const PluginManifest *manifest = nullptr;
  std::shared_ptr<Instance> instance;
};

/// A call without its inputs: bound to a name it shares its weights between its uses.
struct Instance {
  Callable callable;
  Attributes attributes;
  std::string path;                // "" while it only serves as the argument of `repeat`
  std::int64_t times = 0;          // of repeat
  std::shared_ptr<Instance> inner; // of repeat
  Span span;
};

struct Scope {
  const Unit *unit = nullptr;
  struct Declared {
    Value value;
    Span span;
  };
  std::map<std::string, Declared> values;
  std::map<std::string, std::pair<std::shared_ptr<Instance>, Span>> instances;
  std::set<std::string> bindings; // names that the body binds: ordinals keep clear of them
};

/// Where an expression stands: what instances in it are called.
struct Place {
  std::string path;
  std::map<std::string, int> ordinals;
  const std::set<std::string> *reserved = nullptr; // names that bindings beside it have
};

/// A setting of a block after `--set`.
struct Setting {
  const Expression *value = nullptr;
  Span nameSpan;
  Origin origin = Origin::file;
};

/// One `--set`.
struct Override {
  std::string name, text; // before and after `=`
  std::string folder;     // what a path in it is relative to
  std::vector<std::string> parts;
  std::shared_ptr<SourceFile> nameFile, file; // what its ranges point into
  Expression value;
  std::vector<diagnostics::Diagnostic> problems; // syntax errors of the value
  bool used = false;
  Span nameSpan() const { return {nameFile.get(), 0, static_cast<std::uint32_t>(name.size())}; }
  Span valueSpan() const { return {file.get(), 0, static_cast<std::uint32_t>(text.size())}; }
};

struct Column {
  std::string name, type, from;
  bool declared = false;
  std::vector<std::string> classes;
  std::vector<std::string> missing;
  std::string fill, separator;
  std::string scheme; // of tags
  Span span;
  bool hasClasses() const { return type == "class" || type == "set" || type == "tags"; }
};

struct DataBlock {
  bool good = false; // a source was read
  std::string source, path, delimiter, quote, comment;
  std::vector<std::string> lineColumns; // of conll
  std::string splitBy;
  double shares[3] = {0.8, 0.1, 0.1};
  std::vector<Column> columns;
  std::map<std::string, std::size_t> byName; // index into columns
  Span sourceSpan;
  const Column *find(const std::string &name) const;
};

struct Feature {
  std::string name;
  FeatureDraft draft;
  bool used = false;
  Span span, nameSpan;
};

struct BoundCall {
  bool good = true;
  std::vector<Value> operands; // missing at the end: not given
  std::vector<Span> operandSpans;
  Attributes attributes;
  std::map<std::string, Origin> origins;
  std::map<std::string, Span> spans;
};

/// Whether a node owns weights, as far as can be known before the sizes are.
bool hasWeights(const GraphNode &node);
/// One node for a whole encoder: only the facts know of what it consists.
bool isUnexpanded(const GraphNode &node);

class Checker {
public:
  Checker(const Program &program, const std::vector<PluginManifest> &manifests, std::vector<Override> overrides, const Facts *facts,
          diagnostics::DiagnosticList &diagnostics);

  void run();
  /// A file of layers and heads only.
  bool isLibrary() const;

  /// docs/design/record_program.md; "" where the data block cannot be described.
  std::string recordProgram() const;
  /// Folders of pretrained models that the model names, in order.
  const std::vector<std::string> &modelFolders() const { return folders; }
  TypedPipeline take();

private:
  // names and values: checker_values.cpp
  void report(const char *id, const Span &span, const diagnostics::Arguments &arguments = {}, std::vector<diagnostics::Label> labels = {});
  bool declareValue(Scope &scope, const std::string &name, const Span &span, Value value);
  Value evaluate(const Expression &expression, Scope &scope, Place &place);
  Value evaluateName(const Expression &expression, Scope &scope);
  Value evaluateSum(const Expression &expression, Scope &scope, Place &place);
  Value arithmetic(char sign, Value left, Value right, const Span &span, Place &place);
  Value scalarArithmetic(char sign, const Value &left, const Value &right, const Span &span);
  Value evaluateSearch(const Expression &expression, const ParameterSpec *spec, Scope &scope, Place &place);
  std::optional<Attribute> evaluateParameter(const Expression &expression, const ParameterSpec &spec, const std::string &callable,
                                             Scope &scope, Place &place, Origin *origin);
  std::optional<Attribute> convert(const Value &value, const ParameterSpec &spec, const Span &span);
  bool looksLikeModelValue(const Expression &expression, const Scope &scope) const;
  std::vector<std::string> valueNames(const Scope &scope);
  static std::string describe(const Value &value, const ModelGraph &graph);
  std::string describe(const Value &value) const { return describe(value, graph); }
  void reportUnknownName(const Expression &expression, const Scope &scope);
  /// Whether a value could stand where one is looked for: what a hint suggests must be accepted there.
  bool isWanted(const Value &value);
  /// Whether a column of that type can be the target.
  static bool fitsTarget(Accepts accepts, const std::string &type);
  static bool isTarget(Accepts accepts);

  // params, settings, overrides: checker_settings.cpp
  void readParams();
  Value paramValue(const Parameter &param, const ParameterSpec &spec);
  std::map<std::string, Setting> settings(const std::string &name, const Block *block);
  Override *findOverride(const std::string &name);
  /// What a path written there is relative to.
  const std::string &folderOf(Span span) const;
  void reportUnusedOverrides();
  std::optional<Attribute> simpleSetting(const std::map<std::string, Setting> &settings, const std::string &block,
                                         const ParameterSpec &spec, bool *given = nullptr);
  /// A setting that takes a call out of a list: its name and arguments.
  struct Choice {
    bool good = false;
    std::string name;
    Attributes attributes;
    const Signature *signature = nullptr;
    Span span;
  };
  Choice chooseCall(const Expression &expression, const std::vector<Signature> &choices, const std::string &what, const std::string &key,
                    Scope &scope, Origin origin);
  void resolve(const std::string &key, const std::string &value, Origin origin, const Span &span = {});
  const Block *blockOf(const std::string &keyword) const;

  // calls: checker_calls.cpp
  Callable findCallable(const std::string &name, const Scope &scope) const;
  /// `flow`: what flows into the call, nullptr for nothing.
  Callable resolveCallable(const Expression &callee, const Scope &scope, const Value *flow = nullptr);
  std::vector<std::string> callableNames(const Scope &scope, const Value *flow) const;
  /// An input was meant: whatever stands there is not one, and evaluating it says why.
  void reportNoInput(const Signature &signature, std::size_t index, const Expression &given, Scope &scope, Place &place);
  void reportMissingInput(const Signature &signature, std::size_t index, const Span &span);
  BoundCall bindCall(const Signature &signature, const Span &span, const std::vector<Argument> &arguments, std::optional<Value> flow,
                     const Span &flowSpan, Scope &scope, Place &place, const std::string &key);
  Value evaluateCall(const Expression &call, std::optional<Value> flow, const Span &flowSpan, Scope &scope, Place &place);
  /// Whether nothing of a call that says how data are read waits for facts about them; reported where something does.
  bool checkKnown(const Attributes &attributes, const std::string &callable, const std::map<std::string, Span> &spans, const Span &span);
  Value applyTextStep(const Callable &callable, BoundCall bound, const Span &span);
  const Signature &definitionSignature(const Definition &definition);
  static std::string flowText(const FeatureDraft &draft);
  void addFeature(Feature feature);
  void resolveFeature(const Feature &feature);
  Value dimension(const Callable &callable, const Expression &call, Scope &scope, Place &place);
  Value makeRepeat(const Expression &call, std::optional<Value> flow, const Span &flowSpan, Scope &scope, Place &place);
  static std::string nextPath(Place &place, const std::string &name);

  // data and features: checker_data.cpp
  void readData();
  void readColumn(const Entry &entry);
  void readSource(const Expression &expression, Origin origin);
  std::string captureCheckedPath(const std::string &path, const Span &span);
  void readFeatures();
  Value featureOf(const Value &draft, const Span &span);

  // model: checker_model.cpp
  void readModel();
  void checkUnusedDefinitions();
  Value apply(const Instance &instance, std::vector<Value> operands, const std::vector<Span> &spans, const std::string &path,
              const Span &span);
  Value applyBuiltin(const Instance &instance, std::vector<Value> operands, const std::vector<Span> &spans, const std::string &path,
                     const Span &span);
  Value applyDefinition(const Instance &instance, std::vector<Value> operands, const std::vector<Span> &spans, const std::string &path,
                        const Span &span);
  Value applyHead(const Instance &instance, std::vector<Value> operands, const std::vector<Span> &spans, const std::string &path,
                  const Span &span);
  Value applyLearner(const Instance &instance, const Value &operand, const Span &at, const Span &span);
  Value applyRepeat(const Instance &instance, std::vector<Value> operands, const std::vector<Span> &spans, const Span &span, Place &place,
                    Scope &scope);
  Value applyL2(const Expression &call, Scope &scope, Place &place);
  // checker_operands.cpp
  /// The node of an operand that an operation accepts, or -1 after a report. `*unknown` is set for what cannot be judged, such
  /// as tags without the type of the rows that they belong to, `beside`.
  int operandNode(const Value &value, Accepts accepts, const std::string &op, const Span &span, bool *unknown,
                  const ValueType *beside = nullptr);
  int targetNode(const Value &value, Accepts accepts, const std::string &op, const Span &span, bool *unknown, const ValueType *beside);
  int inputNode(const std::string &name, bool target, const Span &span, const std::string &axis = "");
  int emit(GraphNode node);
  bool spend(const Span &span);
  std::int64_t classCount(const std::string &column) const;
  void balanceClasses(Attributes &attributes, const std::string &column) const;
  std::int64_t vocabularySize(const std::string &feature) const;
  void checkOperation(const BuiltinOp &op, const std::vector<ValueType> &types, const Attributes &attributes, const Span &span);
  void bindEntry(const Entry &entry, Scope &scope, const std::string &path);

  // encoders: checker_encoder.cpp
  Value applyEncoder(const Instance &instance, std::vector<Value> operands, const std::vector<Span> &spans, const std::string &path,
                     const Span &span);
  Value applyPooler(const Instance &instance, std::vector<Value> operands, const std::vector<Span> &spans, const std::string &path,
                    const Span &span);
  std::optional<EncoderShape> encoderShape(const Instance &instance, const Span &span, const Facts::Model **model);
  /// Adds a built-in operation; `tensors` are those of its weights in a pretrained folder, weight by weight.
  int emitOperation(const char *name, std::vector<int> operands, Attributes attributes, const std::string &path, const Span &span);
  void takePretrained(int node, const std::vector<std::vector<std::string>> &tensors, const std::string &folder, const Facts::Model *model,
                      std::int64_t skippedRows, const Span &span);

  // train, evaluate, target: checker_train.cpp
  void readTrain();
  void readOptimizer(const Setting *setting);
  void readConfidence(const Setting &setting);
  void readSchedule(const Setting *setting);
  void readValidate(const Setting *setting);
  void readKeep(const Setting *setting);
  void readFrom(const Setting *setting);
  void readObjective(const Setting *setting);

  // which weights learn, and how fast: checker_groups.cpp
  struct Selection;
  struct WeightTree;
  const WeightTree &weightTree();
  std::optional<Selection> readSelection(const Expression &expression, const std::string &setting);
  void changeWeights(const Selection &selection, const std::function<void(double &rate, bool &frozen)> &change);
  void decayByDepth(const Selection &layers, double factor);
  void readFreeze(const Setting *setting);
  void readRates(const Setting *setting);

  void readEvaluate();
  void readMetrics(const std::string &split, const Setting &setting);
  void readExpect(const Entry &entry);
  void resolveExpectations();
  /// What is minimized, as the language writes it: with the values of params and the names of bindings.
  std::string formatObjective() const;
  /// The name of a result that is measured, on one of `splits`, the first of which a hint takes; of another split it may not be.
  std::optional<std::string> resultName(const Expression &expression, const std::vector<std::string> &splits, std::string *split,
                                        bool *higher);
  std::string metricThatGives(const std::string &name) const;
  /// Whether a metric judges answers of that kind.
  bool judges(const PluginManifest &metric, const Answer &answer) const;
  void nameResults();
  void readTarget();

  // checker.cpp
  void checkShape();
  void checkUses();
  void checkFacts();

  const Program &program;
  const std::vector<PluginManifest> &manifests;
  std::vector<Override> overrides;
  const Facts *facts;
  diagnostics::DiagnosticList &diagnostics;

  Scope top; // params, columns, features, bindings of the model
  DataBlock dataBlock;
  std::vector<Feature> featureList;
  std::map<std::string, std::size_t> featureByName; // index into featureList
  std::map<std::string, std::string> featureByFlow; // name, by the text of its steps
  std::map<std::string, int> inlineFeatures;        // how many the model has made of a base name
  bool modelGood = false;
  ModelGraph graph;
  std::map<std::string, int> inputs;     // by name: node
  std::map<std::string, Span> inputUses; // non-targets
  std::map<std::string, Span> targetUses;
  std::vector<const Definition *> expanding;
  std::set<const Definition *> expanded;
  std::map<const Definition *, Signature> signatures;
  std::shared_ptr<const WeightTree> knownWeights;
  std::set<std::string> weighted; // bindings with decaying weights,
  std::size_t weightedUpTo = 0;   // of so many nodes
  Span fromSpan;                  // of `train.from`
  std::vector<std::string> folders;
  struct Encoded { // what `bert_pooler` knows of the encoder that made its input
    EncoderShape::Family family;
    std::string folder;
  };
  std::map<int, Encoded> encoded; // by the last node of an encoder
  int depth = 0;
  std::int64_t spent = 0;
  struct Wanted { // where a name is looked for
    const ParameterSpec *parameter = nullptr;
    std::optional<Accepts> operand;
  };
  Wanted wanted;
  bool muted = false; // reports are counted as mistakes of a trial, and not made
  bool mutedMistake = false;
  std::set<std::string> settable; // arguments of settings, as `--set` names them
  bool tooLarge = false, scratch = false;
  bool unknownTimes = false; // some `repeat` waits for facts: how many instances there are is not known
  struct Measured {
    MetricUse use;
    std::vector<MetricResult> results;
  };
  std::vector<Measured> measured;
  std::map<std::string, std::map<std::string, bool>> resultNames; // split -> result -> higher is better
  TypedPipeline pipeline;
  std::vector<Span> expectSpans; // of pipeline.expectations
  std::set<std::string> resolvedKeys;
};

} // namespace penstock::frontend

// A head in C++. Write a class
//
//     class Mine {
//     public:
//       Mine(const sdk::Parameters &, const sdk::Target &);
//       std::vector<sdk::Field> describe() const;                 // the schema of the answer; the names of classes are known
//       // `target` is empty where only the answer is wanted.
//       sdk::HeadGraph build(sdk::Graph &, sdk::Node input, sdk::Node target) const;
//       // One record's row of the answer: adds to the columns of the schema (columns.h).
//       void decode(std::span<const float> row, sdk::ColumnWriter &out) const;
//     };
//
// and `PENSTOCK_HEAD(Mine, "mine", "1.0.0")`. Throw sdk::Failure to refuse. A head whose target is tags decodes words instead:
//
//       void decode(std::span<const sdk::TaggedWord> words, sdk::ColumnWriter &out) const;
//
// One that needs memory to decode has a `struct Scratch` and takes it, as the last call left it: `decode(row, out, scratch)`.
#pragma once

#include <penstock/sdk/columns.h>

#include <cmath>
#include <cstddef>
#include <initializer_list>
#include <optional>

namespace penstock::sdk {

/// A value of the model under construction.
struct Node {
  PenstockNode id = 0;
  explicit operator bool() const { return id != 0; }
};

/// The column that a head predicts.
struct Target {
  Target() = default;
  explicit Target(const PenstockField *field) {
    if (field != nullptr) {
      column = view(field->name);
      meaning = view(field->meaning);
      classes = field->class_count;
      names = classesOf(*field);
    }
  }
  /// Whether there are classes whose names are not known yet: the answer cannot be described.
  bool nameless() const { return static_cast<std::int64_t>(names.size()) != classes; }

  std::string column, meaning;    // "class", "number", "set" or "tags"; "" where there is no target
  std::int64_t classes = 0;       // 0 of a number
  std::vector<std::string> names; // of the classes; empty while a model is built
};

/// One word of a record to decode.
struct TaggedWord {
  std::string_view text;      // empty where only tags are wanted, as is the next
  std::string_view record;    // the text that the record's words were cut from; empty where they came as a list
  std::span<const float> row; // of the answer; empty where the model did not see the word
  std::int64_t start = -1;    // first byte of the word in `record`, or -1
};

struct HeadGraph {
  Node answer; // records x width; of tags: rows of the input's axis x width
  Node loss;   // its items, whose sum is the loss: rows or a scalar; without `weight` a scalar; or empty
  Node weight; // of the items: rows or a scalar, from the target alone. Empty: plugin_abi.h says what counts then
};

/// An attribute of an op.
class Attribute {
public:
  Attribute(std::string_view name, bool value) : Attribute(name, PENSTOCK_VALUE_BOOL) { held.integer = value ? 1 : 0; }
  Attribute(std::string_view name, std::int64_t value) : Attribute(name, PENSTOCK_VALUE_INT) { held.integer = value; }
  Attribute(std::string_view name, double value) : Attribute(name, PENSTOCK_VALUE_FLOAT) { held.number = value; }
  Attribute(std::string_view name, std::string_view value) : Attribute(name, PENSTOCK_VALUE_STRING) { held.string = string(value); }
  /// `values` must live until the op is added.
  Attribute(std::string_view name, std::span<const double> values) : Attribute(name, PENSTOCK_VALUE_NUMBERS) {
    held.numbers = values.data();
    held.count = static_cast<std::int64_t>(values.size());
  }
  const PenstockValue &get() const { return held; }

private:
  Attribute(std::string_view name, PenstockValueKind kind) {
    held.name = string(name);
    held.kind = kind;
  }
  PenstockValue held{};
};

/// Which values a trainable tensor starts with; as PenstockInitializer of the program ABI.
enum class Initializer : std::int32_t { zeros = 0, ones = 1, uniform = 2, normal = 3, constant = 4 };

class Graph {
public:
  explicit Graph(const PenstockGraphBuilder *builder) : builder(builder) {}

  /// Adds an op of docs/generated/ops.md, named without its prefix.
  Node op(std::string_view name, std::initializer_list<Node> operands, std::initializer_list<Attribute> attributes = {}) {
    std::vector<PenstockNode> nodes;
    for (const Node node : operands) {
      nodes.push_back(node.id);
    }
    std::vector<PenstockValue> given;
    for (const Attribute &attribute : attributes) {
      given.push_back(attribute.get());
    }
    const PenstockTable table = {static_cast<std::int32_t>(given.size()), sizeof(PenstockValue), given.data()};
    return made(builder->op(builder->context, string(name), nodes.data(), static_cast<std::int32_t>(nodes.size()), &table), name);
  }
  /// A trainable tensor. `decays`: weight decay applies to it.
  Node parameter(std::string_view name, std::initializer_list<std::int64_t> shape, Initializer initializer, double scale, bool decays) {
    const PenstockTensorSpec spec = specOf(name, shape, initializer, scale, decays);
    return made(builder->parameter(builder->context, &spec), name);
  }
  /// Model state, which `update` moves: a tensor without a gradient.
  Node state(std::string_view name, std::initializer_list<std::int64_t> shape, Initializer initializer, double scale = 0) {
    const PenstockTensorSpec spec = specOf(name, shape, initializer, scale, false);
    return made(builder->state(builder->context, &spec), name);
  }
  /// In a step of training the state becomes `value`, once a state.
  void update(Node state, Node value) { check(builder->update(builder->context, state.id, value.id), "update"); }
  /// The layer that the language writes `input |> linear(outputs, bias: bias)`: the parameters `weight`, which decays, and `bias`.
  Node linear(Node input, std::int64_t outputs, bool bias, std::string_view head) {
    const std::int64_t inputs = width(input);
    if (inputs < 1) {
      throw Failure("`" + std::string(head) + "` got an input without elements");
    }
    const double scale = 1.0 / std::sqrt(static_cast<double>(inputs));
    const Node weight = parameter("weight", {inputs, outputs}, Initializer::uniform, scale, true);
    if (!bias) {
      return op("linear", {input, weight});
    }
    return op("linear", {input, weight, parameter("bias", {outputs}, Initializer::uniform, scale, false)});
  }
  /// Elements a row.
  std::int64_t width(Node node) const { return typeOf(node).width; }
  /// Whether rows are those of an axis (tokens) instead of records.
  bool isSequence(Node node) const { return typeOf(node).rows == PENSTOCK_ROWS_AXIS; }
  PenstockValueType typeOf(Node node) const {
    PenstockValueType type{};
    type.struct_size = sizeof type;
    PenstockTable axes{};
    check(builder->describe(builder->context, node.id, &type, &axes), "describe");
    return type;
  }
  /// What the host takes from `build`.
  void give(const HeadGraph &graph) {
    check(builder->answer(builder->context, graph.answer.id), "answer");
    if (graph.loss) {
      check(builder->loss(builder->context, graph.loss.id, graph.weight.id), "loss");
    }
  }

  /// Fails where `input` has a row a record instead of a row a token.
  void needSequence(Node input, std::string_view head) const {
    if (!isSequence(input)) {
      throw Failure("`" + std::string(head) + "` tags every token of a sequence, and gets one row a record; leave out the pooling");
    }
  }
  /// Fails with the advice to pool where `input` has a row a token instead of a row a record.
  void needVector(Node input, std::string_view head) const {
    if (isSequence(input)) {
      throw Failure("`" + std::string(head) +
                    "` needs one vector for a record and got a sequence; write the pooling before it, for "
                    "example `|> pool(max)`");
    }
  }

private:
  static PenstockTensorSpec specOf(std::string_view name, std::initializer_list<std::int64_t> shape, Initializer initializer, double scale,
                                   bool decays) {
    PenstockTensorSpec spec{};
    spec.struct_size = sizeof spec;
    spec.name = string(name);
    spec.shape = shape.begin();
    spec.rank = static_cast<std::int32_t>(shape.size());
    spec.initializer = static_cast<std::int32_t>(initializer);
    spec.scale = scale;
    spec.decays = decays ? 1 : 0;
    return spec;
  }
  static void check(std::int32_t failed, std::string_view what) { // the host has said why
    if (failed != 0) {
      throw Failure("`" + std::string(what) + "` was refused");
    }
  }
  Node made(PenstockNode node, std::string_view what) const {
    if (node == 0) {
      throw Failure("`" + std::string(what) + "` could not be added to the model");
    }
    return {node};
  }
  const PenstockGraphBuilder *builder;
};

template <typename T> struct HeadFunctions {
  /// What a call to `decode` uses.
  struct Decoding {
    ColumnWriter out;
    std::vector<TaggedWord> words;
    typename ScratchOf<T>::Type scratch;
  };
  struct Object {
    explicit Object(const Parameters &parameters, const Target &target) : head(parameters, target) {
      if (!target.nameless()) {
        schema.emplace(head.describe());
      }
    }
    const Schema &known() const {
      if (!schema) {
        throw Failure("the names of the classes are not known yet");
      }
      return *schema;
    }
    T head;
    std::optional<Schema> schema;
    mutable Spares<Decoding> spares;
  };
  static const Object &of(const void *self) { return *static_cast<const Object *>(self); }

  static std::int32_t create(const PenstockHost *, const PenstockParameters *parameters, const PenstockField *target, void **self,
                             PenstockError *error) {
    return guarded(error, [&] { *self = std::make_unique<Object>(Parameters(parameters), Target(target)).release(); });
  }
  static void destroy(void *self) { destroyed<Object>(self); }
  static std::int32_t describe(const void *self, const PenstockFieldSink *sink, PenstockError *error) {
    return guarded(error, [&] { sendFields(of(self).known(), sink); });
  }
  static std::int32_t build(const void *self, const PenstockGraphBuilder *builder, const PenstockHeadInputs *inputs, PenstockError *error) {
    return guarded(error, [&] {
      Graph graph(builder);
      graph.give(of(self).head.build(graph, Node{inputs->input}, Node{inputs->target}));
    });
  }
  static std::int32_t decode(const void *self, const PenstockDecodeBatch *batch, const PenstockColumnSink *sink, PenstockError *error) {
    return guarded(error, [&] {
      const auto lent = of(self).spares.borrow([&] { return Decoding{ColumnWriter(of(self).known()), {}, {}}; });
      lent->out.begin(batch->wanted);
      if constexpr (takes<std::span<const TaggedWord>>) {
        decodeWords(of(self).head, *batch, *lent);
      } else {
        for (std::int64_t record = 0; record < batch->records; ++record) {
          decodeOne(of(self).head, rowOf(*batch, record), *lent);
        }
      }
      lent->out.send(sink);
    });
  }
  static const PenstockHead *table() {
    static const PenstockHead functions = {sizeof(PenstockHead), create, destroy, describe, build, decode};
    return &functions;
  }

private:
  using Scratch = typename ScratchOf<T>::Type;
  /// Whether the head decodes that, words or a row.
  template <typename Given>
  static constexpr bool takes = requires(const T &head, Given given, ColumnWriter &out) {
    head.decode(given, out);
  } || requires(const T &head, Given given, ColumnWriter &out, Scratch &scratch) { head.decode(given, out, scratch); };

  template <typename Given> static void decodeOne(const T &head, Given given, Decoding &with) {
    withScratch(with.scratch, [&](auto &...scratch) { head.decode(given, with.out, scratch...); });
    with.out.endRecord();
  }
  static std::span<const float> rowOf(const PenstockDecodeBatch &batch, std::int64_t row) {
    return {batch.values + row * batch.width, static_cast<std::size_t>(batch.width)};
  }
  static void decodeWords(const T &head, const PenstockDecodeBatch &batch, Decoding &with) {
    if (batch.words == nullptr || batch.offsets == nullptr) {
      throw Failure("it decodes tags, and this answer has one row a record");
    }
    const PenstockWords &given = *batch.words;
    std::vector<TaggedWord> &words = with.words;
    for (std::int64_t record = 0; record < batch.records; ++record) {
      const std::int64_t first = given.offsets[record], last = given.offsets[record + 1];
      words.assign(static_cast<std::size_t>(last - first), {});
      for (std::int64_t i = first; given.words != nullptr && i < last; ++i) {
        TaggedWord &word = words[static_cast<std::size_t>(i - first)];
        word.text = view(given.words[i]);
        word.record = view(given.texts[record]);
        word.start = given.starts[i];
      }
      for (std::int32_t row = batch.offsets[record]; row < batch.offsets[record + 1]; ++row) {
        if (given.row_word[row] >= 0 && given.row_word[row] < last - first) {
          words[static_cast<std::size_t>(given.row_word[row])].row = rowOf(batch, row);
        }
      }
      decodeOne(head, std::span<const TaggedWord>(words), with);
    }
  }
};

} // namespace penstock::sdk

#define PENSTOCK_HEAD(CLASS, NAME, VERSION)                                                                                                \
  PENSTOCK_PLUGIN_ENTRY(PENSTOCK_HEAD, ::penstock::sdk::HeadFunctions<CLASS>::table(), NAME, VERSION)

// A head in C++. Write a struct
//
//     struct Mine {
//       // `target` is empty where only the answer is wanted; `classes` is 0 for a number.
//       static sdk::HeadGraph build(const sdk::Parameters &, sdk::Graph &, sdk::Node input, sdk::Node target,
//                                   std::int64_t classes);
//       // One record's row of the answer to a JSON value.
//       static void decode(const sdk::Parameters &, std::span<const std::string> classes, std::span<const float> row,
//                          sdk::JsonWriter &json);
//     };
//
// and `PENSTOCK_HEAD(Mine, "mine", "1.0.0")`. Throw sdk::Failure to refuse. A head whose target is tags has, in place of `decode`,
//
//       // One record's words, each with its row of the answer, to a JSON value.
//       static void decodeTags(const sdk::Parameters &, std::span<const std::string> tags,
//                              std::span<const sdk::TaggedWord> words, sdk::JsonWriter &json);
#pragma once

#include <penstock/sdk/common.h>
#include <penstock/sdk/json.h>

#include <cmath>
#include <cstddef>
#include <initializer_list>

namespace penstock::sdk {

/// A value of the model under construction.
struct Node {
  PenstockNode id = 0;
  explicit operator bool() const { return id != 0; }
};

/// One word of a record to decode.
struct TaggedWord {
  std::string_view text;
  std::span<const float> row; // of the answer; empty where the model did not see the word
  std::string_view record;    // the text that the record's words were cut from; empty where they came as a list
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
  const PenstockAttribute &get() const { return held; }

private:
  Attribute(std::string_view name, PenstockValueKind kind) {
    held.name = string(name);
    held.kind = kind;
  }
  PenstockAttribute held{};
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
    std::vector<PenstockAttribute> given;
    for (const Attribute &attribute : attributes) {
      given.push_back(attribute.get());
    }
    return made(builder->op(builder->context, string(name), nodes.data(), static_cast<std::int32_t>(nodes.size()), given.data(),
                            static_cast<std::int32_t>(given.size())),
                name);
  }
  /// A trainable tensor. `decays`: weight decay applies to it.
  Node parameter(std::string_view name, std::initializer_list<std::int64_t> shape, Initializer initializer, double scale, bool decays) {
    return made(builder->parameter(builder->context, string(name), shape.begin(), static_cast<std::int32_t>(shape.size()),
                                   static_cast<std::int32_t>(initializer), scale, decays ? 1 : 0),
                name);
  }
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
  std::int64_t width(Node node) const { return builder->width(builder->context, node.id); }
  bool isSequence(Node node) const { return builder->is_sequence(builder->context, node.id) != 0; }

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
  Node made(PenstockNode node, std::string_view what) const {
    if (node == 0) { // the compiler has said why
      throw Failure("`" + std::string(what) + "` could not be added to the model");
    }
    return {node};
  }
  const PenstockGraphBuilder *builder;
};

template <typename T> struct HeadFunctions {
  static std::int32_t build(const PenstockHost *, const PenstockParameters *parameters, const PenstockGraphBuilder *builder,
                            PenstockNode input, PenstockNode target, std::int64_t classes, PenstockHeadGraph *graph, PenstockError *error) {
    return guarded(error, [&] {
      Graph wrapped(builder);
      const HeadGraph made = T::build(Parameters(parameters), wrapped, Node{input}, Node{target}, classes);
      graph->answer = made.answer.id;
      graph->loss = made.loss.id;
      bool taken = false;
#if PENSTOCK_PLUGIN_ABI_MINOR >= 3 // a plugin may be built with an older header
      taken = PENSTOCK_HAS(graph, PenstockHeadGraph, weight);
      if (taken) {
        graph->weight = made.weight.id;
      }
#endif
      if (!taken && made.weight) {
        throw Failure("this version of Penstock knows no losses that are a sum and a weight; it takes 1.3 of the plugin interface");
      }
    });
  }
  static std::int32_t decode(const PenstockHost *, const PenstockParameters *parameters, const PenstockString *classes,
                             std::int64_t classCount, const float *answer, std::int64_t records, std::int64_t width,
                             const PenstockAnswerSink *sink, PenstockError *error) {
    return guarded(error, [&] {
      const std::vector<std::string> names = strings(classes, classCount);
      JsonWriter json;
      for (std::int64_t record = 0; record < records; ++record) {
        json.clear();
        T::decode(Parameters(parameters), names, std::span<const float>(answer + record * width, static_cast<std::size_t>(width)), json);
        if (sink->answer(sink->context, record, string(json.text())) != 0) {
          throw Failure("the host stopped the plugin");
        }
      }
    });
  }
  static std::int32_t decodeTags(const PenstockHost *, const PenstockParameters *parameters, const PenstockString *classes,
                                 std::int64_t classCount, const float *answer, std::int64_t width, const PenstockTaggedRecords *given,
                                 const PenstockAnswerSink *sink, PenstockError *error) {
    return guarded(error, [&] {
      const std::vector<std::string> names = strings(classes, classCount);
      std::vector<TaggedWord> words;
      JsonWriter json;
      for (std::int64_t record = 0; record < given->records; ++record) {
        const std::int64_t first = given->word_offsets[record], last = given->word_offsets[record + 1];
        words.assign(static_cast<std::size_t>(last - first), {});
        for (std::int64_t i = first; i < last; ++i) {
          TaggedWord &word = words[static_cast<std::size_t>(i - first)];
          word.text = view(given->words[i]);
          word.record = view(given->texts[record]);
          word.start = given->word_starts[i];
        }
        for (std::int32_t row = given->row_offsets[record]; row < given->row_offsets[record + 1]; ++row) {
          if (given->row_word[row] >= 0 && given->row_word[row] < last - first) {
            words[static_cast<std::size_t>(given->row_word[row])].row =
                std::span<const float>(answer + row * width, static_cast<std::size_t>(width));
          }
        }
        json.clear();
        T::decodeTags(Parameters(parameters), names, words, json);
        if (sink->answer(sink->context, record, string(json.text())) != 0) {
          throw Failure("the host stopped the plugin");
        }
      }
    });
  }
  static PenstockHead make() {
    if constexpr (requires { &T::decodeTags; }) {
      return {sizeof(PenstockHead), build, nullptr, decodeTags};
    } else {
      return {sizeof(PenstockHead), build, decode, nullptr};
    }
  }
  static const PenstockHead *table() {
    static const PenstockHead functions = make();
    return &functions;
  }
};

} // namespace penstock::sdk

#define PENSTOCK_HEAD(CLASS, NAME, VERSION)                                                                                                \
  PENSTOCK_PLUGIN_ENTRY(PENSTOCK_HEAD, ::penstock::sdk::HeadFunctions<CLASS>::table(), NAME, VERSION)

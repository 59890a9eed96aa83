#include "runtime/plugin/kind_functions.h"
#include "runtime/plugin/lent.h"
#include "runtime/plugin/plugin_through.h"

#include "runtime/base/printable.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace penstock {

namespace {

// Limits of what a head may ask for; docs/design/plugins.md lists them.
constexpr std::int32_t maximumOperands = 256, maximumAttributes = 256, maximumRank = 8;
constexpr std::int64_t maximumOps = 100000, maximumElements = std::int64_t{1} << 40, maximumList = std::int64_t{1} << 24;
constexpr std::size_t maximumName = 256, maximumText = std::size_t{1} << 20;

bool isKnown(std::int32_t kind) {
  return kind == PENSTOCK_VALUE_BOOL || kind == PENSTOCK_VALUE_INT || kind == PENSTOCK_VALUE_FLOAT || kind == PENSTOCK_VALUE_STRING ||
         kind == PENSTOCK_VALUE_NUMBERS;
}

/// Stands between a head and the compiler's builder: judges what the head hands in and passes on what is sound. After the first fault
/// every function refuses.
class JudgingBuilder {
public:
  JudgingBuilder(const PenstockGraphBuilder &inner, PenstockNode input, PenstockNode target) : inner(inner) {
    known = {input};
    if (target != 0) {
      known.push_back(target);
    }
    builder.struct_size = sizeof builder;
    builder.context = this;
    builder.op = [](void *context, PenstockString name, const PenstockNode *operands, std::int32_t operandCount,
                    const PenstockAttribute *attributes, std::int32_t attributeCount) {
      return ask<PenstockNode>(context, [&](JudgingBuilder &self) {
        return self.added([&] { return self.op(name, operands, operandCount, attributes, attributeCount); });
      });
    };
    builder.parameter = [](void *context, PenstockString name, const std::int64_t *shape, std::int32_t rank, std::int32_t initializer,
                           double scale, std::int32_t decays) {
      return ask<PenstockNode>(context, [&](JudgingBuilder &self) {
        return self.added([&] { return self.parameter(name, shape, rank, initializer, scale, decays); });
      });
    };
    builder.width = [](void *context, PenstockNode node) {
      return ask<std::int64_t>(
          context, [&](JudgingBuilder &self) { return self.isKnownNode("width", node) ? self.inner.width(self.inner.context, node) : 0; });
    };
    builder.is_sequence = [](void *context, PenstockNode node) {
      return ask<std::int32_t>(context, [&](JudgingBuilder &self) {
        return self.isKnownNode("is_sequence", node) ? self.inner.is_sequence(self.inner.context, node) : 0;
      });
    };
    builder.fail = [](void *context, PenstockString message) {
      ask<int>(context, [&](JudgingBuilder &self) {
        std::string reason;
        if (!judgeText(message, maximumText, reason)) {
          return self.fault.say(fmt::format("the message that it gives to `fail` {}", reason));
        }
        const std::string shown = printable(std::string_view(message.data, message.size));
        self.inner.fail(self.inner.context, stringView(shown));
        return 0;
      });
    };
  }
  JudgingBuilder(const JudgingBuilder &) = delete;
  JudgingBuilder &operator=(const JudgingBuilder &) = delete;

  /// What `build` returned, after it said that all is well.
  void judge(const PenstockHeadGraph &graph, bool trains) {
    const auto given = [&](PenstockNode node) { return std::find(known.begin(), known.end(), node) != known.end(); };
    if (!given(graph.answer)) {
      fault.say(graph.answer == 0 ? "it gives no answer" : fmt::format("its answer is node {}, which there is not", graph.answer));
    } else if (trains && !given(graph.loss)) {
      fault.say(graph.loss == 0 ? "it gives no loss" : fmt::format("its loss is node {}, which there is not", graph.loss));
    } else if (graph.weight != 0 && !given(graph.weight)) {
      fault.say(fmt::format("the weight of its loss is node {}, which there is not", graph.weight));
    }
  }

  PenstockGraphBuilder builder{};
  Fault fault;

private:
  /// The body of a function of the builder; 0 where there is a fault.
  template <typename Value, typename Work> static Value ask(void *context, Work &&work) {
    auto *const self = ActiveSink::find<JudgingBuilder>(context);
    Value value = 0;
    if (self != nullptr) {
      self->fault.guard([&] {
        value = work(*self);
        return 0;
      });
    }
    return value;
  }

  template <typename Work> PenstockNode added(Work &&work) {
    if (static_cast<std::int64_t>(known.size()) > maximumOps) {
      fault.say(fmt::format("it asks for more than {} operations and parameters", maximumOps));
      return 0;
    }
    const PenstockNode made = work();
    if (made != 0) {
      known.push_back(made);
    }
    return made;
  }

  bool isKnownNode(const char *function, PenstockNode wanted) {
    // The compiler numbers its nodes upwards, so the place of one is near its number.
    const std::size_t near = std::min<std::size_t>(wanted == 0 ? 0 : wanted - 1, known.size() - 1);
    if (known[near] == wanted || std::find(known.begin(), known.end(), wanted) != known.end()) {
      return true;
    }
    fault.say(fmt::format("it hands node {} to `{}`, which there is not", wanted, function));
    return false;
  }

  bool isName(const char *function, PenstockString name) {
    std::string reason;
    if (!judgeText(name, maximumName, reason)) {
      fault.say(fmt::format("a name that it hands to `{}` {}", function, reason));
      return false;
    }
    const std::string_view text(name.data, name.size);
    if (text.empty() || printable(text) != text) {
      fault.say(fmt::format("a name that it hands to `{}` is empty or holds control characters", function));
      return false;
    }
    return true;
  }

  bool isSound(const PenstockAttribute &attribute) {
    if (!isName("op", attribute.name)) {
      return false;
    }
    const std::string name(attribute.name.data, attribute.name.size);
    std::string reason;
    if (!isKnown(attribute.kind)) {
      fault.say(fmt::format("the attribute `{}` has the kind {}, which there is not", name, attribute.kind));
    } else if (attribute.kind == PENSTOCK_VALUE_STRING && !judgeText(attribute.string, maximumText, reason)) {
      fault.say(fmt::format("the text of the attribute `{}` {}", name, reason));
    } else if (attribute.kind == PENSTOCK_VALUE_FLOAT && !std::isfinite(attribute.number)) {
      fault.say(fmt::format("the attribute `{}` is not a finite number", name));
    } else if (attribute.kind == PENSTOCK_VALUE_NUMBERS && !plausible(attribute.numbers, attribute.count, maximumList)) {
      fault.say(fmt::format("the attribute `{}` has {} numbers{}", name, attribute.count,
                            attribute.numbers == nullptr ? " at a null pointer" : fmt::format("; 0 to {} are taken", maximumList)));
    } else if (attribute.kind == PENSTOCK_VALUE_NUMBERS &&
               !std::all_of(attribute.numbers, attribute.numbers + attribute.count, [](double number) { return std::isfinite(number); })) {
      fault.say(fmt::format("the attribute `{}` holds what is not a finite number", name));
    } else {
      return true;
    }
    return false;
  }

  PenstockNode op(PenstockString name, const PenstockNode *operands, std::int32_t operandCount, const PenstockAttribute *attributes,
                  std::int32_t attributeCount) {
    if (!isName("op", name)) {
      return 0;
    }
    if (!plausible(operands, operandCount, maximumOperands) || !plausible(attributes, attributeCount, maximumAttributes)) {
      fault.say(fmt::format("it hands {} operands{} and {} attributes{} to `op`", operandCount,
                            operandCount > 0 && operands == nullptr ? " at a null pointer" : "", attributeCount,
                            attributeCount > 0 && attributes == nullptr ? " at a null pointer" : ""));
      return 0;
    }
    for (std::int32_t i = 0; i < operandCount; ++i) {
      if (!isKnownNode("op", operands[i])) {
        return 0;
      }
    }
    for (std::int32_t i = 0; i < attributeCount; ++i) {
      if (!isSound(attributes[i])) {
        return 0;
      }
    }
    return inner.op(inner.context, name, operands, operandCount, attributes, attributeCount);
  }

  PenstockNode parameter(PenstockString name, const std::int64_t *shape, std::int32_t rank, std::int32_t initializer, double scale,
                         std::int32_t decays) {
    if (!isName("parameter", name)) {
      return 0;
    }
    const std::string shown(name.data, name.size);
    if (rank < 1 || rank > maximumRank || shape == nullptr) {
      fault.say(fmt::format("the parameter `{}` has the rank {}{}; 1 to {} are taken", shown, rank, shape == nullptr ? " and no shape" : "",
                            maximumRank));
      return 0;
    }
    std::int64_t elements = 1;
    for (std::int32_t i = 0; i < rank; ++i) {
      if (shape[i] < 1 || shape[i] > maximumElements / elements) {
        fault.say(
            fmt::format("the parameter `{}` has the size {} in dimension {}; a parameter has 1 to 2^40 elements", shown, shape[i], i));
        return 0;
      }
      elements *= shape[i];
    }
    if (!std::isfinite(static_cast<float>(scale))) {
      fault.say(fmt::format("the scale of the parameter `{}` is not a finite number in single precision", shown));
      return 0;
    }
    return inner.parameter(inner.context, name, shape, rank, initializer, scale, decays);
  }

  const PenstockGraphBuilder &inner;
  std::vector<PenstockNode> known; // what the head was given, in that order
};

} // namespace

Status buildHead(const Bound &bound, const PenstockGraphBuilder &builder, PenstockNode input, PenstockNode target, std::int64_t classes,
                 PenstockHeadGraph &graph) {
  JudgingBuilder judge(builder, input, target);
  const ActiveSink active(&judge, judge.fault);
  const Status done = bound.call("build", [&](PenstockError *error) {
    return bound.table<PenstockHead>()->build(bound.services, bound.parameters(), &judge.builder, input, target, classes, &graph, error);
  });
  if (judge.fault.outOfMemory()) {
    return judge.fault.memory(bound, "build");
  }
  if (done.ok()) {
    judge.judge(graph, target != 0);
  }
  return judge.fault.of(bound, "build", done);
}

Status buildHead(PluginHost &host, const std::string &plugin, const std::string &parametersJson, const PenstockGraphBuilder &builder,
                 PenstockNode input, PenstockNode target, std::int64_t classes, PenstockHeadGraph &graph) {
  PENSTOCK_ASSIGN(const Bound bound, bindPlugin(host, plugin, PluginKind::head, parametersJson));
  return buildHead(bound, builder, input, target, classes, graph);
}

Result<std::vector<std::string>> decodeAnswers(const Bound &bound, const std::vector<std::string> &classes, const float *answer,
                                               std::int64_t records, std::int64_t width, const PenstockTaggedRecords *tagged) {
  if (records < 0 || width < 1) {
    return internalError("answers of no shape");
  }
  AnswerCollector collector(records);
  const auto *functions = bound.table<PenstockHead>();
  const bool decodesTags = PENSTOCK_HAS(functions, PenstockHead, decode_tags) && functions->decode_tags != nullptr;
  if (decodesTags != (tagged != nullptr)) {
    return invalidInput(fmt::format("head `{}` {}", bound.label->name,
                                    decodesTags ? "decodes tags, and this answer has one row a record"
                                                : "decodes one row a record, and this answer has tags"));
  }
  const std::vector<PenstockString> views = stringViews(classes);
  const auto count = static_cast<std::int64_t>(views.size());
  const char *const entry = decodesTags ? "decode_tags" : "decode";
  PENSTOCK_TRY(callWithSink(bound, entry, &collector, collector.fault, [&](PenstockError *error) {
    return decodesTags
               ? functions->decode_tags(bound.services, bound.parameters(), views.data(), count, answer, width, tagged, &collector.sink,
                                        error)
               : functions->decode(bound.services, bound.parameters(), views.data(), count, answer, records, width, &collector.sink, error);
  }));
  return collector.take(bound, entry);
}

Result<std::vector<std::string>> decodeAnswers(PluginHost &host, const std::string &plugin, const std::string &parametersJson,
                                               const std::vector<std::string> &classes, const float *answer, std::int64_t records,
                                               std::int64_t width, const PenstockTaggedRecords *tagged) {
  PENSTOCK_ASSIGN(const Bound bound, bindPlugin(host, plugin, PluginKind::head, parametersJson));
  return decodeAnswers(bound, classes, answer, records, width, tagged);
}

namespace {

void check(const PluginManifest &manifest, const void *functions, Missing &missing) {
  const auto *f = static_cast<const PenstockHead *>(functions);
  missing.need(f->build, "build");
  if (manifest.takes("tags")) {
    missing.need(PENSTOCK_HAS(f, PenstockHead, decode_tags) && f->decode_tags != nullptr, "decode_tags");
  } else {
    missing.need(f->decode, "decode");
  }
}

/// A builder that takes every operation.
struct Recorder {
  bool sequence = false;
  PenstockNode next = 3;
  PenstockGraphBuilder builder{};
  explicit Recorder(bool sequence) : sequence(sequence) {
    builder.struct_size = sizeof builder;
    builder.context = this;
    builder.op = [](void *context, PenstockString, const PenstockNode *, std::int32_t, const PenstockAttribute *, std::int32_t) {
      return static_cast<Recorder *>(context)->next++;
    };
    builder.parameter = [](void *context, PenstockString, const std::int64_t *, std::int32_t, std::int32_t, double, std::int32_t) {
      return static_cast<Recorder *>(context)->next++;
    };
    builder.width = [](void *, PenstockNode) -> std::int64_t { return 5; };
    builder.is_sequence = [](void *context, PenstockNode) -> std::int32_t { return static_cast<Recorder *>(context)->sequence ? 1 : 0; };
    builder.fail = [](void *, PenstockString) {};
  }
};

Status tryHead(const Bound &bound) {
  const bool number = bound.manifest->takes("number"), tags = bound.manifest->takes("tags");
  const std::vector<std::string> classes = number ? std::vector<std::string>() : std::vector<std::string>{"B-a", "I-a", "O"};
  const auto width = static_cast<std::int64_t>(number ? 1 : classes.size());
  for (const PenstockNode target : {PenstockNode{2}, PenstockNode{0}}) {
    Recorder recorder(bound.manifest->input == "sequence");
    PenstockHeadGraph graph{sizeof graph, 0, 0, 0};
    TRY_UNLESS_REFUSED(buildHead(bound, recorder.builder, 1, target, number ? 0 : width, graph));
  }
  const float answer[] = {0.5F, 0.25F, 0.25F};
  const std::int32_t rowOffsets[] = {0, 1}, rowWord[] = {0};
  const std::int64_t wordOffsets[] = {0, 1}, starts[] = {0};
  const PenstockString word = stringView("pump");
  const PenstockTaggedRecords tagged = {sizeof tagged, 1, rowOffsets, rowWord, wordOffsets, &word, &word, starts};
  TAKE_UNLESS_REFUSED(answers, decodeAnswers(bound, classes, answer, 1, width, tags ? &tagged : nullptr));
  return Status::success();
}

const void *wrap(const void *functions) {
  static PenstockHead table;
  table = copyOf<PenstockHead>(functions);
  WRAP(table, PenstockHead, build);
  WRAP(table, PenstockHead, decode);
  WRAP(table, PenstockHead, decode_tags);
  return &table;
}

} // namespace

static_assert(static_cast<int>(PluginKind::head) == PENSTOCK_HEAD);
const KindFunctions headFunctions = {offsetof(PenstockHead, decode_tags), check, tryHead, wrap};

} // namespace penstock

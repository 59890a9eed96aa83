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
                    const PenstockTable *attributes) {
      return ask<PenstockNode>(
          context, [&](JudgingBuilder &self) { return self.added([&] { return self.op(name, operands, operandCount, attributes); }); });
    };
    builder.parameter = [](void *context, const PenstockTensorSpec *spec) {
      return ask<PenstockNode>(
          context, [&](JudgingBuilder &self) { return self.added([&] { return self.tensor("parameter", spec, self.inner.parameter); }); });
    };
    builder.state = [](void *context, const PenstockTensorSpec *spec) {
      return ask<PenstockNode>(context, [&](JudgingBuilder &self) {
        const PenstockNode made = self.added([&] { return self.tensor("state", spec, self.inner.state); });
        if (made != 0) {
          self.states.push_back(made);
        }
        return made;
      });
    };
    builder.update = [](void *context, PenstockNode state, PenstockNode value) {
      return did(context, [&](JudgingBuilder &self) {
        if (!self.isKnownNode("update", state) || !self.isKnownNode("update", value)) {
          return 1;
        }
        const auto found = std::find(self.states.begin(), self.states.end(), state);
        if (found == self.states.end()) {
          return self.fault.say(fmt::format("it updates node {}, which is no state, or twice", state));
        }
        self.states.erase(found);
        return self.inner.update(self.inner.context, state, value);
      });
    };
    builder.describe = [](void *context, PenstockNode node, PenstockValueType *type, PenstockTable *axes) {
      return did(context, [&](JudgingBuilder &self) {
        if (!self.isKnownNode("describe", node)) {
          return 1;
        }
        if (type == nullptr || axes == nullptr || type->struct_size < PENSTOCK_SIZE_WITH(PenstockValueType, width)) {
          return self.fault.say("it gives `describe` no place for a type");
        }
        return self.inner.describe(self.inner.context, node, type, axes);
      });
    };
    builder.answer = [](void *context, PenstockNode node) {
      return did(context, [&](JudgingBuilder &self) {
        if (node == 0) {
          return self.fault.say("it gives no answer");
        }
        if (!self.isKnownNode("answer", node) || !self.first(self.answered, "answer")) {
          return 1;
        }
        return self.inner.answer(self.inner.context, node);
      });
    };
    builder.loss = [](void *context, PenstockNode items, PenstockNode weight) {
      return did(context, [&](JudgingBuilder &self) {
        if (!self.isKnownNode("loss", items) || (weight != 0 && !self.isKnownNode("loss", weight)) || !self.first(self.lost, "loss")) {
          return 1;
        }
        return self.inner.loss(self.inner.context, items, weight);
      });
    };
    builder.fail = [](void *context, PenstockString message) {
      did(context, [&](JudgingBuilder &self) {
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

  /// After `build` said that all is well.
  void judge(bool trains) {
    if (!answered) {
      fault.say("it gives no answer");
    } else if (trains && !lost) {
      fault.say("it gives no loss");
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

  /// The same of one that returns 0, or another number.
  template <typename Work> static std::int32_t did(void *context, Work &&work) {
    return ask<std::int32_t>(context, [&](JudgingBuilder &self) { return work(self) == 0 ? 1 : 0; }) == 1 ? 0 : 1;
  }

  bool first(bool &already, const char *what) {
    if (already) {
      fault.say(fmt::format("it gives two {}s", what));
      return false;
    }
    return already = true;
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

  bool isSound(const PenstockValue &attribute) {
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

  PenstockNode op(PenstockString name, const PenstockNode *operands, std::int32_t operandCount, const PenstockTable *attributes) {
    if (!isName("op", name)) {
      return 0;
    }
    const PenstockTable none{}, &table = attributes == nullptr ? none : *attributes;
    const bool rows = plausible(table.first, table.count, maximumAttributes) &&
                      (table.count == 0 || table.stride >= PENSTOCK_SIZE_WITH(PenstockValue, count));
    if (!plausible(operands, operandCount, maximumOperands) || !rows) {
      fault.say(fmt::format("it hands {} operands{} and {} attributes{} to `op`", operandCount,
                            operandCount > 0 && operands == nullptr ? " at a null pointer" : "", table.count,
                            table.count > 0 && table.first == nullptr ? " at a null pointer" : ""));
      return 0;
    }
    for (std::int32_t i = 0; i < operandCount; ++i) {
      if (!isKnownNode("op", operands[i])) {
        return 0;
      }
    }
    for (std::int32_t i = 0; i < table.count; ++i) {
      if (!isSound(*static_cast<const PenstockValue *>(penstock_table_row(&table, i)))) {
        return 0;
      }
    }
    return inner.op(inner.context, name, operands, operandCount, &table);
  }

  /// A parameter or a state.
  PenstockNode tensor(const char *what, const PenstockTensorSpec *spec, PenstockNode (*make)(void *, const PenstockTensorSpec *)) {
    if (spec == nullptr || spec->struct_size < PENSTOCK_SIZE_WITH(PenstockTensorSpec, decays)) {
      fault.say(fmt::format("it gives `{}` no tensor", what));
      return 0;
    }
    if (!isName(what, spec->name)) {
      return 0;
    }
    const std::string shown(spec->name.data, spec->name.size);
    if (spec->rank < 1 || spec->rank > maximumRank || spec->shape == nullptr) {
      fault.say(fmt::format("the {} `{}` has the rank {}{}; 1 to {} are taken", what, shown, spec->rank,
                            spec->shape == nullptr ? " and no shape" : "", maximumRank));
      return 0;
    }
    std::int64_t elements = 1;
    for (std::int32_t i = 0; i < spec->rank; ++i) {
      const std::int64_t size = spec->shape[i];
      if (size < 1 || size > maximumElements / elements) {
        fault.say(fmt::format("the {} `{}` has the size {} in dimension {}; a tensor has 1 to 2^40 elements", what, shown, size, i));
        return 0;
      }
      elements *= size;
    }
    if (!std::isfinite(static_cast<float>(spec->scale))) {
      fault.say(fmt::format("the scale of the {} `{}` is not a finite number in single precision", what, shown));
      return 0;
    }
    return make(inner.context, spec);
  }

  const PenstockGraphBuilder &inner;
  std::vector<PenstockNode> known;  // what the head was given, in that order
  std::vector<PenstockNode> states; // which were not updated yet
  bool answered = false, lost = false;
};

class PluginHead final : public Head {
public:
  PluginHead(Bound bound, void *self) : bound(std::move(bound)), functions(this->bound.table<PenstockHead>()), self(self) {}
  ~PluginHead() override {
    endObject(bound, "destroy", [&](PenstockError *) {
      functions->destroy(self);
      return 0;
    });
  }

  Status describe() {
    PENSTOCK_ASSIGN(fields, describedBy(bound, functions, self));
    return Status::success();
  }
  const Schema &schema() const override { return fields; }

  Status build(const PenstockGraphBuilder &builder, PenstockNode input, PenstockNode target) const override {
    JudgingBuilder judge(builder, input, target);
    const ActiveSink active(&judge, judge.fault);
    const PenstockHeadInputs inputs = {sizeof inputs, input, target};
    const Status done = bound.call("build", [&](PenstockError *error) { return functions->build(self, &judge.builder, &inputs, error); });
    if (judge.fault.outOfMemory()) {
      return judge.fault.memory(bound, "build");
    }
    if (done.ok()) {
      judge.judge(target != 0);
    }
    return judge.fault.of(bound, "build", done);
  }

  Status decode(const PenstockDecodeBatch &batch, std::vector<Column> &columns) const override {
    if (batch.records < 0 || batch.width < 1 || columns.size() != fields.size()) {
      return internalError("answers of no shape");
    }
    std::vector<bool> wanted;
    for (std::size_t i = 0; batch.wanted != nullptr && i < fields.size(); ++i) {
      wanted.push_back(batch.wanted[i] != 0);
    }
    ColumnCollector collector(fields, std::move(wanted), batch.records, columns);
    PENSTOCK_TRY(callWithSink(bound, "decode", &collector, collector.fault,
                              [&](PenstockError *error) { return functions->decode(self, &batch, &collector.sink, error); }));
    return collector.finish(bound, "decode");
  }

private:
  Bound bound;
  const PenstockHead *functions;
  void *self;
  Schema fields;
};

} // namespace

Result<std::unique_ptr<const Head>> makeHead(Bound bound, const ColumnField *target) {
  const SchemaView view(target == nullptr ? std::span<const ColumnField>() : std::span<const ColumnField>(target, 1));
  const PenstockField *const given = target == nullptr ? nullptr : &view[0];
  PENSTOCK_ASSIGN(void *const self, makeObject(bound, "create", [&](void **made, PenstockError *error) {
                    return bound.table<PenstockHead>()->create(bound.services, bound.parameters(), given, made, error);
                  }));
  auto head = std::make_unique<PluginHead>(std::move(bound), self);
  if (target == nullptr || static_cast<std::int64_t>(target->classes.size()) == target->classCount) {
    PENSTOCK_TRY(head->describe());
  }
  return std::unique_ptr<const Head>(std::move(head));
}

Result<std::unique_ptr<const Head>> makeHead(PluginHost &host, const std::string &plugin, const std::string &parametersJson,
                                             const ColumnField *target) {
  PENSTOCK_ASSIGN(Bound bound, bindPlugin(host, plugin, PluginKind::head, parametersJson));
  return makeHead(std::move(bound), target);
}

namespace {

void check(const PluginManifest &, const void *functions, Missing &missing) {
  const auto &f = *static_cast<const PenstockHead *>(functions);
  missing.need(f.create, "create");
  missing.need(f.destroy, "destroy");
  missing.need(f.describe, "describe");
  missing.need(f.build, "build");
  missing.need(f.decode, "decode");
}

/// A builder that takes every operation.
struct Recorder {
  bool sequence = false;
  PenstockNode next = 3;
  PenstockGraphBuilder builder{};
  explicit Recorder(bool sequence) : sequence(sequence) {
    builder.struct_size = sizeof builder;
    builder.context = this;
    builder.op = [](void *context, PenstockString, const PenstockNode *, std::int32_t, const PenstockTable *) {
      return static_cast<Recorder *>(context)->next++;
    };
    builder.parameter = builder.state = [](void *context, const PenstockTensorSpec *) { return static_cast<Recorder *>(context)->next++; };
    builder.update = [](void *, PenstockNode, PenstockNode) -> std::int32_t { return 0; };
    builder.describe = [](void *context, PenstockNode, PenstockValueType *type, PenstockTable *axes) -> std::int32_t {
      const bool tokens = static_cast<Recorder *>(context)->sequence;
      static const PenstockAxis axis = {sizeof axis, PENSTOCK_RECORDS, "tokens", 0, nullptr};
      type->rows = tokens ? PENSTOCK_ROWS_AXIS : PENSTOCK_ROWS_RECORDS;
      type->axis = tokens ? 0 : -1;
      type->element = PENSTOCK_F32;
      type->fixed_rows = 0;
      type->width = 5;
      *axes = {1, sizeof axis, &axis};
      return 0;
    };
    builder.answer = [](void *, PenstockNode) -> std::int32_t { return 0; };
    builder.loss = [](void *, PenstockNode, PenstockNode) -> std::int32_t { return 0; };
    builder.fail = [](void *, PenstockString) {};
  }
};

Status tryHead(const Bound &bound) {
  const std::string meaning = bound.manifest->targets.empty() ? "class" : bound.manifest->targets[0];
  const ColumnField target = targetField("target", meaning, {"B-a", "I-a", "O"});
  TAKE_UNLESS_REFUSED(head, makeHead(bound, &target));
  for (const PenstockNode node : {PenstockNode{2}, PenstockNode{0}}) {
    Recorder recorder(bound.manifest->input == "sequence");
    TRY_UNLESS_REFUSED(head->build(recorder.builder, 1, node));
  }
  const float answer[] = {0.5F, 0.25F, 0.25F};
  const std::int32_t rowOffsets[] = {0, 1}, rowWord[] = {0};
  const std::int64_t wordOffsets[] = {0, 1}, starts[] = {0};
  const PenstockString word = stringView("pump");
  const PenstockWords words = {sizeof words, wordOffsets, rowWord, &word, &word, starts};
  PenstockDecodeBatch batch{};
  batch.struct_size = sizeof batch;
  batch.records = batch.rows = 1;
  batch.width = meaning == "number" ? 1 : 3;
  batch.values = answer;
  if (meaning == "tags") {
    batch.offsets = rowOffsets;
    batch.words = &words;
  }
  std::vector<Column> columns = columnsOf(head->schema());
  TRY_UNLESS_REFUSED(head->decode(batch, columns));
  return Status::success();
}

const void *wrap(const void *functions) {
  static PenstockHead table;
  table = copyOf<PenstockHead>(functions);
  WRAP(table, PenstockHead, create);
  WRAP(table, PenstockHead, destroy);
  WRAP(table, PenstockHead, describe);
  WRAP(table, PenstockHead, build);
  WRAP(table, PenstockHead, decode);
  return &table;
}

} // namespace

static_assert(static_cast<int>(PluginKind::head) == PENSTOCK_HEAD);
const KindFunctions headFunctions = {PENSTOCK_SIZE_WITH(PenstockHead, decode), check, tryHead, wrap};

} // namespace penstock

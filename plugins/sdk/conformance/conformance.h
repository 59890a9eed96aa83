// The promises of plugin_abi.h, tried on one plugin through the C boundary only. What does not hold comes back as sentences; an
// empty list is a plugin that keeps its contract as far as can be seen from outside. Run it under ASan and UBSan too: it hands in
// hard texts, damaged states, sinks that stop and builders that refuse.
#pragma once

#include "answered.h"
#include "hard_texts.h"
#include "judged.h"
#include "sources.h"

#include <penstock/sdk/columns.h>
#include <penstock/sdk/unicode.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace penstock::conformance {

/// The plugin and what its manifest says about it.
struct Case {
  const PenstockPlugin *plugin = nullptr;
  const PenstockParameters *parameters = nullptr;
  bool fits = false;                 // tokenizer, learner
  bool keepsRecords = false;         // learner
  bool vectorInput = true;           // head
  std::vector<std::string> targets;  // head, metric, learner: what it predicts or judges: "class", "number", "set", "tags"
  std::vector<std::string> meanings; // metric: what it asks for beside its target
  bool features = false;             // metric
  std::vector<std::string> results;  // metric: the declared names for these parameters
  std::vector<std::string> files;    // source: whole files of its own form, where there are some
};

namespace detail {

struct TextTokens {
  std::vector<std::int32_t> ids;
  std::vector<std::uint32_t> starts, ends;
  bool operator==(const TextTokens &) const = default;
};

inline PenstockString view(std::string_view text) { return sdk::string(text); }

inline bool startsCharacter(std::string_view text, std::size_t at) {
  return at >= text.size() || (static_cast<unsigned char>(text[at]) & 0xC0) != 0x80;
}

class Checker {
public:
  explicit Checker(const Case &given) : given(given) {
    host.struct_size = sizeof host;
    host.allocate = [](void *, std::size_t bytes) -> void * { return std::aligned_alloc(64, (bytes + 64) / 64 * 64); };
    host.release = [](void *, void *memory) { std::free(memory); };
    host.log = [](void *, PenstockString) {};
  }

  std::vector<std::string> run() {
    switch (given.plugin->kind) {
    case PENSTOCK_TOKENIZER:
      tokenizer();
      break;
    case PENSTOCK_HEAD:
      head();
      break;
    case PENSTOCK_METRIC:
      for (const std::string &target : given.targets) {
        for (const std::int64_t trained : {5, 3}) {
          metric(target, trained);
        }
      }
      break;
    case PENSTOCK_LEARNER:
      learner();
      break;
    case PENSTOCK_SOURCE:
      checkSource(*static_cast<const PenstockSource *>(given.plugin->functions), host, given.parameters, given.files,
                  [this](bool holds, const std::string &promise) { expect(holds, promise); });
      break;
    default:
      expect(false, "the kind is none of the ABI");
    }
    return failures;
  }

private:
  void expect(bool holds, const std::string &promise) {
    if (!holds && failures.size() < 50) {
      failures.push_back(promise);
    }
  }
  /// A failed call must say why.
  void expectReason(const PenstockError &error, const std::string &call) {
    expect(std::string_view(error.text, sizeof error.text).find('\0') != std::string_view::npos && error.text[0] != '\0',
           call + " failed without a reason");
  }

  // ---- fits, of tokenizers and learners

  template <typename Functions> bool endFit(const Functions &f, void *fit, std::string &state) {
    state.clear();
    const PenstockByteSink sink = {sizeof sink, &state, [](void *context, const void *bytes, std::size_t size) -> std::int32_t {
                                     static_cast<std::string *>(context)->append(static_cast<const char *>(bytes), size);
                                     return 0;
                                   }};
    PenstockError error{};
    const bool ended = f.fit_end(fit, &sink, &error) == 0;
    expect(ended, std::string("fit_end failed: ") + error.text);
    return ended;
  }

  /// Fits to which nothing is added: one is given up, one ends in a sink that stops. `more`: what fit_begin takes after the parameters.
  template <typename Functions, typename... More> void emptyFits(const Functions &f, More... more) {
    PenstockError error{};
    void *fit = nullptr;
    if (f.fit_begin(&host, given.parameters, more..., &fit, &error) == 0) {
      f.fit_abandon(fit);
      fit = nullptr;
    }
    if (f.fit_begin(&host, given.parameters, more..., &fit, &error) == 0) {
      const PenstockByteSink stop = {sizeof stop, nullptr, [](void *, const void *, std::size_t) -> std::int32_t { return 1; }};
      expect(f.fit_end(fit, &stop, &error) != 0, "fit_end goes on after the sink has stopped it");
    }
  }

  // ---- tokenizer

  bool fitState(const PenstockTokenizer &f, const std::vector<std::string> &texts, std::size_t batch, std::string &state) {
    PenstockError error{};
    void *fit = nullptr;
    if (f.fit_begin(&host, given.parameters, &fit, &error) != 0) {
      expect(false, std::string("fit_begin failed: ") + error.text);
      return false;
    }
    for (std::size_t at = 0; at < texts.size(); at += batch) {
      std::vector<PenstockString> views;
      for (std::size_t i = at; i < texts.size() && i < at + batch; ++i) {
        views.push_back(view(texts[i]));
      }
      if (f.fit_add(fit, views.data(), static_cast<std::int64_t>(views.size()), &error) != 0) {
        expect(false, std::string("fit_add failed: ") + error.text);
        f.fit_abandon(fit);
        return false;
      }
    }
    return endFit(f, fit, state);
  }

  static std::int32_t collect(void *context, std::int64_t, const std::int32_t *ids, const std::uint32_t *starts, const std::uint32_t *ends,
                              std::int64_t count) {
    static_cast<std::vector<TextTokens> *>(context)->push_back({{ids, ids + count}, {starts, starts + count}, {ends, ends + count}});
    return 0;
  }

  std::vector<TextTokens> encode(const PenstockTokenizer &f, const void *self, const std::vector<std::string> &texts, std::int64_t most,
                                 std::string *reason = nullptr) const {
    std::vector<PenstockString> views;
    for (const std::string &text : texts) {
      views.push_back(view(text));
    }
    std::vector<TextTokens> found;
    const PenstockTokenSink sink = {sizeof sink, &found, collect, 0};
    PenstockError error{};
    if (f.encode(self, views.data(), static_cast<std::int64_t>(views.size()), most, &sink, &error) != 0) {
      found.clear();
      if (reason != nullptr) {
        *reason = error.text[0] != '\0' ? error.text : "no reason";
      }
    }
    return found;
  }

  void tokenizer() {
    const auto &f = *static_cast<const PenstockTokenizer *>(given.plugin->functions);
    const std::vector<std::string> texts = hardTexts();
    std::string state;
    if (given.fits) {
      std::string again;
      if (!fitState(f, texts, texts.size(), state) || !fitState(f, texts, 7, again)) {
        return;
      }
      expect(state == again, "the fitted state depends on how the texts are batched");
      emptyFits(f);
    }
    PenstockError error{};
    void *self = nullptr;
    if (f.create(&host, given.parameters, view(state), &self, &error) != 0) {
      expect(false, std::string("create failed: ") + error.text);
      return;
    }
    vocabulary(f, self);
    specialTokens(f, self);
    encoding(f, self, texts);
    f.destroy(self);
    damagedStates(f, state);
  }

  void vocabulary(const PenstockTokenizer &f, const void *self) {
    const std::int64_t size = f.vocabulary_size(self);
    expect(size >= 1, "the vocabulary is empty");
    expect(f.unknown_id(self) >= 0 && f.unknown_id(self) < size, "the unknown id is not in the vocabulary");
    for (std::int64_t id = 0; id < size; ++id) {
      PenstockError error{};
      PenstockString text{};
      if (f.token(self, static_cast<std::int32_t>(id), &text, &error) != 0) {
        expect(false, "token " + std::to_string(id) + " has no text");
        return;
      }
      expect(sdk::isUtf8(std::string_view(text.data, text.size)), "the text of token " + std::to_string(id) + " is not UTF-8");
    }
    for (const std::int64_t id : {std::int64_t{-1}, size, std::int64_t{INT32_MAX}, std::int64_t{INT32_MIN}}) {
      PenstockError error{};
      PenstockString text{};
      expect(f.token(self, static_cast<std::int32_t>(id), &text, &error) != 0,
             "token " + std::to_string(id) + ", which there is not, has a text");
      expectReason(error, "token");
    }
  }

  void specialTokens(const PenstockTokenizer &f, const void *self) {
    if (f.special_tokens == nullptr) {
      return;
    }
    PenstockSpecialTokens given{};
    given.struct_size = sizeof given;
    PenstockError error{};
    if (f.special_tokens(self, &given, &error) != 0) {
      expectReason(error, "special_tokens");
      expect(false, "the special tokens are not given");
      return;
    }
    const auto check = [&](const std::int32_t *ids, std::int32_t count) {
      expect(count >= 0 && (count == 0 || ids != nullptr), "a number of special tokens is wrong");
      for (std::int32_t i = 0; ids != nullptr && i < count; ++i) {
        expect(ids[i] >= 0 && ids[i] < f.vocabulary_size(self), "a special token is not in the vocabulary");
      }
    };
    check(given.prefix, given.prefix_count);
    check(given.separator, given.separator_count);
    check(given.suffix, given.suffix_count);
  }

  void encoding(const PenstockTokenizer &f, const void *self, const std::vector<std::string> &texts) {
    std::string reason;
    const std::vector<TextTokens> all = encode(f, self, texts, -1, &reason);
    if (all.size() != texts.size()) {
      expect(false, "encode failed: " + reason);
      return;
    }
    const std::int64_t size = f.vocabulary_size(self);
    for (std::size_t t = 0; t < texts.size(); ++t) {
      const TextTokens &tokens = all[t];
      for (std::size_t i = 0; i < tokens.ids.size(); ++i) {
        expect(tokens.ids[i] >= 0 && tokens.ids[i] < size, "an id is not in the vocabulary");
        expect(tokens.starts[i] <= tokens.ends[i] && tokens.ends[i] <= texts[t].size(), "offsets lie outside of the text");
        expect(startsCharacter(texts[t], tokens.starts[i]) && startsCharacter(texts[t], tokens.ends[i]),
               "an offset lies inside of a character");
        expect(i == 0 || tokens.starts[i] >= tokens.starts[i - 1], "tokens are not in the order of the text");
      }
      const std::vector<TextTokens> alone = encode(f, self, {texts[t]}, -1);
      expect(alone.size() == 1 && alone[0] == tokens, "a text's tokens depend on the other texts of the batch");
      for (const std::int64_t most : {0, 1, 5}) {
        TextTokens cut = tokens;
        const std::size_t count = std::min(cut.ids.size(), static_cast<std::size_t>(most));
        cut.ids.resize(count);
        cut.starts.resize(count);
        cut.ends.resize(count);
        const std::vector<TextTokens> limited = encode(f, self, {texts[t]}, most);
        expect(limited.size() == 1 && limited[0] == cut, "a limit of tokens does not give the first of them");
      }
    }
    std::vector<PenstockString> views;
    for (const std::string &text : texts) {
      views.push_back(view(text));
    }
    std::vector<std::vector<std::int32_t>> ids;
    const PenstockTokenSink idsOnly = {sizeof idsOnly, &ids,
                                       [](void *context, std::int64_t, const std::int32_t *items, const std::uint32_t *,
                                          const std::uint32_t *, std::int64_t count) -> std::int32_t {
                                         static_cast<std::vector<std::vector<std::int32_t>> *>(context)->emplace_back(items, items + count);
                                         return 0;
                                       },
                                       1};
    PenstockError refused{};
    expect(f.encode(self, views.data(), static_cast<std::int64_t>(views.size()), -1, &idsOnly, &refused) == 0 && ids.size() == all.size(),
           "encode without offsets failed");
    for (std::size_t t = 0; t < ids.size() && t < all.size(); ++t) {
      expect(ids[t] == all[t].ids, "without offsets there are other ids");
    }
    expect(encode(f, self, {}, -1).empty(), "no texts give tokens");
    std::vector<std::vector<TextTokens>> found(3);
    std::vector<std::thread> threads;
    for (auto &mine : found) {
      threads.emplace_back([&] { mine = encode(f, self, texts, -1); });
    }
    for (std::thread &thread : threads) {
      thread.join();
    }
    for (const auto &mine : found) {
      expect(mine == all, "threads that encode at once get other tokens");
    }
    const PenstockTokenSink stop = {sizeof stop, nullptr,
                                    [](void *, std::int64_t, const std::int32_t *, const std::uint32_t *, const std::uint32_t *,
                                       std::int64_t) -> std::int32_t { return 1; },
                                    0};
    const PenstockString one = view(texts[4]);
    PenstockError error{};
    expect(f.encode(self, &one, 1, -1, &stop, &error) != 0, "encode goes on after the sink has stopped it");
  }

  /// They may be refused or used, but not crash.
  void damagedStates(const PenstockTokenizer &f, const std::string &state) {
    eachDamaged(state, [&](const std::string &damaged) {
      PenstockError error{};
      void *self = nullptr;
      if (f.create(&host, given.parameters, view(damaged), &self, &error) != 0) {
        expectReason(error, "create from a damaged state");
      } else {
        encode(f, self, {"a word of it, \u4e2d"}, -1);
        f.destroy(self);
      }
    });
  }

  // ---- head

  struct Recorder {
    std::map<std::string, int> tensors;
    PenstockNode next = 10, answer = 0, loss = 0;
    int calls = 0, refuseAt = -1;
    bool sequence = false, badNodes = false;
    PenstockGraphBuilder builder{};
    Recorder() {
      builder.struct_size = sizeof builder;
      builder.context = this;
      builder.op = [](void *context, PenstockString, const PenstockNode *operands, std::int32_t count, const PenstockTable *) {
        auto &self = *static_cast<Recorder *>(context);
        for (std::int32_t i = 0; i < count; ++i) {
          self.take(operands[i]);
        }
        return self.make();
      };
      builder.parameter = builder.state = [](void *context, const PenstockTensorSpec *spec) {
        auto &self = *static_cast<Recorder *>(context);
        ++self.tensors[std::string(spec->name.data, spec->name.size)];
        for (std::int32_t i = 0; i < spec->rank; ++i) {
          self.badNodes = self.badNodes || spec->shape[i] < 1;
        }
        return self.make();
      };
      builder.update = [](void *context, PenstockNode state, PenstockNode value) -> std::int32_t {
        auto &self = *static_cast<Recorder *>(context);
        self.take(state);
        self.take(value);
        return self.make() == 0 ? 1 : 0;
      };
      builder.describe = [](void *context, PenstockNode node, PenstockValueType *type, PenstockTable *axes) -> std::int32_t {
        auto &self = *static_cast<Recorder *>(context);
        self.take(node);
        static const PenstockAxis axis = {sizeof axis, PENSTOCK_RECORDS, "tokens", 0, nullptr};
        *type = {
            type->struct_size, self.sequence ? PENSTOCK_ROWS_AXIS : PENSTOCK_ROWS_RECORDS, self.sequence ? 0 : -1, PENSTOCK_F32, 0, 13};
        *axes = {1, sizeof axis, &axis};
        return 0;
      };
      builder.answer = [](void *context, PenstockNode node) -> std::int32_t {
        auto &self = *static_cast<Recorder *>(context);
        self.answer = self.take(node);
        return self.make() == 0 ? 1 : 0;
      };
      builder.loss = [](void *context, PenstockNode items, PenstockNode) -> std::int32_t {
        auto &self = *static_cast<Recorder *>(context);
        self.loss = self.take(items);
        return self.make() == 0 ? 1 : 0;
      };
      builder.fail = [](void *, PenstockString) {};
    }
    PenstockNode take(PenstockNode node) {
      badNodes = badNodes || node == 0 || node >= next;
      return node;
    }
    PenstockNode make() { return calls++ == refuseAt ? 0 : next++; }
  };

  bool build(const void *self, Recorder &recorder, PenstockNode target, PenstockError &error) {
    const auto &f = *static_cast<const PenstockHead *>(given.plugin->functions);
    const PenstockHeadInputs inputs = {sizeof inputs, 1, target};
    error = {};
    return f.build(self, &recorder.builder, &inputs, &error) == 0;
  }

  /// The fields that an object describes, twice the same.
  template <typename Functions> std::vector<sdk::Field> fieldsOf(const Functions &f, const void *self) {
    FieldsGiven once, twice;
    PenstockError error{};
    expect(f.describe(self, &once.sink, &error) == 0, std::string("describe failed: ") + error.text);
    f.describe(self, &twice.sink, &error);
    expect(!once.fields.empty(), "describe gives no field");
    expect(once.text() == twice.text(), "a second call of describe gives other fields");
    FieldsGiven stopped;
    stopped.stops = true;
    expect(f.describe(self, &stopped.sink, &error) != 0, "describe goes on after the sink has stopped it");
    return once.fields;
  }

  void *createHead(const sdk::Field &target) {
    const sdk::FieldViews views(std::span<const sdk::Field>(&target, 1));
    void *self = nullptr;
    PenstockError error{};
    const auto &f = *static_cast<const PenstockHead *>(given.plugin->functions);
    if (f.create(&host, given.parameters, &views[0], &self, &error) != 0) {
      expect(false, std::string("create failed: ") + error.text);
    }
    return self;
  }

  void head() {
    const auto &f = *static_cast<const PenstockHead *>(given.plugin->functions);
    const std::string meaning = given.targets.empty() ? "class" : given.targets[0];
    const std::vector<std::string> names = meaning == "tags" ? std::vector<std::string>{"B-\"a\"", "I-\"a\"", "O"}
                                                             : std::vector<std::string>{"a \"quoted\"\nclass", "\u4e2d\u6587", ""};
    void *const self = createHead(targetField(meaning, names, 3));
    if (self == nullptr) {
      return;
    }
    PenstockError error{};
    Recorder trained;
    trained.sequence = !given.vectorInput;
    expect(build(self, trained, 2, error), std::string("build failed: ") + error.text);
    expect(trained.answer != 0 && trained.loss != 0, "build gives no answer or no loss");
    expect(!trained.badNodes, "build uses nodes or shapes that there are not");
    for (const auto &[name, count] : trained.tensors) {
      expect(count == 1 && !name.empty(), "the name `" + name + "` of a tensor is not unique");
    }
    Recorder answering;
    answering.sequence = !given.vectorInput;
    expect(build(self, answering, 0, error) && answering.answer != 0 && answering.loss == 0,
           "without a target build gives no answer, or a loss");
    if (given.vectorInput) {
      Recorder sequence;
      sequence.sequence = true;
      expect(!build(self, sequence, 2, error), "build takes a sequence, the manifest says vector");
      expectReason(error, "build with a sequence");
    }
    for (int at = 0; at < trained.calls; ++at) {
      Recorder refusing;
      refusing.sequence = !given.vectorInput;
      refusing.refuseAt = at;
      expect(!build(self, refusing, 2, error), "build goes on after the builder has refused a call");
    }
    if (const std::vector<sdk::Field> fields = fieldsOf(f, self); !fields.empty()) {
      decoding(f, self, fields, meaning);
    }
    f.destroy(self);
  }

  /// Two records; of tags one of them from a text and with a word that has no row, the other without words.
  void decoding(const PenstockHead &f, const void *self, const std::vector<sdk::Field> &fields, const std::string &meaning) {
    const bool tags = meaning == "tags";
    const std::string text = "\u4e2d \"b c";
    const std::vector<PenstockString> words = {view(std::string_view(text).substr(0, 3)), view(std::string_view(text).substr(4, 2)),
                                               view(std::string_view(text).substr(7, 1))};
    const std::vector<PenstockString> texts = {view(text), view("")};
    const std::int32_t rowOffsets[] = {0, 3, 4}, rowWord[] = {0, -1, 1, -1};
    const std::int64_t wordOffsets[] = {0, 3, 3}, starts[] = {0, 4, 7};
    const float answers[] = {0.5F, 0.25F, 0.25F, 0, 1, 0, 0.1F, 0.8F, 0.1F, 0, 0, 1}, bad[] = {NAN, INFINITY, 0};
    PenstockWords known = {sizeof known, wordOffsets, rowWord, words.data(), texts.data(), starts};
    PenstockDecodeBatch batch{};
    batch.struct_size = sizeof batch;
    batch.records = 2;
    batch.rows = tags ? 4 : 2;
    batch.width = meaning == "number" ? 1 : 3;
    batch.values = answers;
    batch.offsets = tags ? rowOffsets : nullptr;
    batch.words = tags ? &known : nullptr;
    const auto decode = [&](AnswersGiven &into) {
      PenstockError error{};
      const bool done = f.decode(self, &batch, &into.sink, &error) == 0;
      if (!done) {
        expectReason(error, "decode");
      }
      expect(into.wrong.empty(), "an answer " + into.wrong);
      return done;
    };
    AnswersGiven all(fields);
    expect(decode(all) && all.records.size() == 2, "decode does not answer every record");
    AnswersGiven stopped(fields);
    stopped.stops = true;
    PenstockError error{};
    expect(f.decode(self, &batch, &stopped.sink, &error) != 0, "decode goes on after the sink has stopped it");
    std::vector<std::uint8_t> wanted(fields.size());
    wanted[0] = 1;
    batch.wanted = wanted.data();
    known.words = known.texts = nullptr; // as evaluate has them
    known.starts = nullptr;
    AnswersGiven some(fields, wanted);
    expect(decode(some) && some.records.size() == 2, "decode of one field does not answer every record");
    batch.wanted = nullptr;
    known = {sizeof known, wordOffsets, rowWord, words.data(), texts.data(), starts};
    batch.records = 0;
    batch.rows = 0;
    AnswersGiven none(fields);
    expect(decode(none) && none.records.empty(), "decode of no records fails or answers");
    batch.records = batch.rows = 1;
    batch.values = bad;
    const std::int32_t one[] = {0, 1};
    batch.offsets = tags ? one : nullptr;
    AnswersGiven odd(fields);
    expect(decode(odd) && odd.records.size() == 1, "decode fails on numbers that are not finite");
  }

  // ---- metric

  /// Records [first, last) of a sample as a metric is shown them.
  std::int32_t add(const PenstockMetric &f, void *self, const JudgedSample &sample, std::size_t first, std::size_t last, bool weighted,
                   PenstockError &error) {
    JudgedColumns columns(sample, first, last);
    PenstockJudged batch{};
    batch.struct_size = sizeof batch;
    batch.answers = &columns.answers();
    batch.gold = &columns.gold();
    batch.features = given.features ? &columns.features() : nullptr;
    batch.weights = weighted ? columns.weights.data() : nullptr;
    const std::int32_t failed = f.add(self, &batch, &error);
    expect(columns.text() == JudgedColumns(sample, first, last).text(), "`add` writes into the batch that it is given");
    return failed;
  }

  using Values = std::map<std::string, double>;

  static const PenstockMetricSink sinkFor(Values &values) {
    return {sizeof(PenstockMetricSink), &values,
            [](void *context, PenstockString name, double value) -> std::int32_t {
              (*static_cast<Values *>(context))[std::string(name.data, name.size)] = value;
              return 0;
            },
            [](void *, PenstockString) -> std::int32_t { return 0; }};
  }

  void *makeMetric(const PenstockMetric &f, const JudgedSample &sample) {
    const PenstockJudging judging = {sizeof judging, sample.answerSchema.views.table(), &sample.goldSchema.views[0],
                                     given.features ? sample.featureSchema.views.table() : PenstockTable{}};
    void *self = nullptr;
    PenstockError error{};
    if (f.create(&host, given.parameters, &judging, &self, &error) != 0) {
      expect(false, std::string("create failed: ") + error.text);
      return nullptr;
    }
    return self;
  }

  Values valuesOf(const PenstockMetric &f, const void *self) {
    Values values;
    const PenstockMetricSink sink = sinkFor(values);
    PenstockError error{};
    expect(f.result(self, &sink, &error) == 0, std::string("result failed: ") + error.text);
    return values;
  }

  void expectClose(const Values &a, const Values &b, const std::string &promise) {
    bool close = a.size() == b.size();
    for (const auto &[name, value] : a) {
      const auto other = b.find(name);
      close = close && other != b.end() && std::fabs(other->second - value) <= 1e-9 * (1 + std::fabs(value));
    }
    expect(close, promise);
  }

  bool save(const PenstockMetric &f, const void *self, std::string &state) {
    const PenstockByteSink sink = {sizeof sink, &state, [](void *context, const void *bytes, std::size_t size) -> std::int32_t {
                                     static_cast<std::string *>(context)->append(static_cast<const char *>(bytes), size);
                                     return 0;
                                   }};
    PenstockError error{};
    const bool saved = f.save(self, &sink, &error) == 0;
    expect(saved, std::string("save failed: ") + error.text);
    return saved;
  }

  /// `trained`: how many of five classes train has.
  void metric(const std::string &target, std::int64_t trained) {
    const auto &f = *static_cast<const PenstockMetric *>(given.plugin->functions);
    const std::size_t records = 211;
    const JudgedSample sample(target, given.meanings, records, trained), repeated(sample, true);
    std::array<void *, 8> made{};
    const auto &[whole, batched, left, right, weighted, copies, empty, loaded] = made;
    if (std::all_of(made.begin(), made.end(), [&](void *&one) { return (one = makeMetric(f, sample)) != nullptr; })) {
      PenstockError error{};
      bool added = add(f, whole, sample, 0, records, false, error) == 0;
      for (std::size_t at = 0; at < records; at += 13) {
        added = added && add(f, batched, sample, at, std::min(records, at + 13), false, error) == 0;
      }
      added = added && add(f, batched, sample, 5, 5, false, error) == 0 && add(f, left, sample, 0, 83, false, error) == 0 &&
              add(f, right, sample, 83, records, false, error) == 0 && add(f, weighted, sample, 0, records, true, error) == 0 &&
              add(f, copies, repeated, 0, repeated.size(), false, error) == 0;
      expect(added, std::string("add failed: ") + error.text);
      states(f, right, loaded);
      expect(f.merge(left, loaded, &error) == 0 && f.merge(left, empty, &error) == 0, std::string("merge failed: ") + error.text);
      const Values all = valuesOf(f, whole);
      for (const std::string &name : given.results) {
        expect(all.count(name) == 1 && std::isfinite(all.at(name)), "the declared result `" + name + "` is missing or not finite");
      }
      expectClose(all, valuesOf(f, whole), "a second call of result gives another");
      expectClose(all, valuesOf(f, batched), "the result depends on the batches");
      expectClose(all, valuesOf(f, left), "saving, loading and merging gives another result than adding");
      if (target != "tags") { // a metric of sequences need not have weights
        expectClose(valuesOf(f, weighted), valuesOf(f, copies), "a weight is not the same as repeated records");
      }
      Values none;
      const PenstockMetricSink sink = sinkFor(none);
      error = {};
      if (f.result(empty, &sink, &error) != 0) {
        expectReason(error, "result of no records");
      }
      const PenstockMetricSink stop = {sizeof stop, nullptr, [](void *, PenstockString, double) -> std::int32_t { return 1; },
                                       [](void *, PenstockString) -> std::int32_t { return 1; }};
      expect(f.result(whole, &stop, &error) != 0, "result goes on after the sink has stopped it");
    }
    for (void *one : made) {
      if (one != nullptr) {
        f.destroy(one);
      }
    }
  }

  /// A state goes over to another object; damaged ones may be refused or used, but not crash.
  void states(const PenstockMetric &f, const void *from, void *to) {
    std::string state, again;
    if (!save(f, from, state)) {
      return;
    }
    PenstockError error{};
    expect(f.load(to, view(state), &error) == 0, std::string("load failed: ") + error.text);
    expect(save(f, to, again) && again == state, "a loaded state is saved as another one");
    const PenstockByteSink stop = {sizeof stop, nullptr, [](void *, const void *, std::size_t) -> std::int32_t { return 1; }};
    expect(state.empty() || f.save(from, &stop, &error) != 0, "save goes on after the sink has stopped it");
    eachDamaged(state, [&](const std::string &damaged) {
      error = {};
      if (f.load(to, view(damaged), &error) != 0) {
        expectReason(error, "load of a damaged state");
      }
    });
    error = {};
    expect(f.load(to, view(state), &error) == 0, std::string("load failed: ") + error.text);
  }

  template <typename Work> static void eachDamaged(const std::string &state, Work &&work) {
    std::mt19937 random(5);
    for (int i = 0; i < 60 && !state.empty(); ++i) {
      std::string damaged = state;
      if (i % 3 == 0) {
        damaged.resize(random() % damaged.size());
      } else {
        for (int k = 0; k < 1 + i % 5; ++k) {
          damaged[i % 2 == 0 ? random() % std::min<std::size_t>(24, damaged.size()) : random() % damaged.size()] =
              static_cast<char>(random());
        }
      }
      work(damaged);
    }
  }

  // ---- learner

  bool fitLearner(const PenstockLearner &f, const LearntSample &sample, std::size_t batch, std::string &state) {
    PenstockError error{};
    void *fit = nullptr;
    const PenstockLearning learning = sample.learning(given.keepsRecords);
    if (f.fit_begin(&host, given.parameters, &learning, &fit, &error) != 0) {
      expect(false, std::string("fit_begin failed: ") + error.text);
      return false;
    }
    for (std::size_t at = 0; at < sample.rows.size(); at += batch) {
      LearntColumns columns(sample, at, std::min(sample.rows.size(), at + batch), given.keepsRecords);
      PenstockExamples examples{};
      examples.struct_size = sizeof examples;
      examples.features = &columns.features();
      examples.targets = sample.hasTarget() ? &columns.targets() : nullptr;
      if (f.fit_add(fit, &examples, &error) != 0) {
        expect(false, std::string("fit_add failed: ") + error.text);
        f.fit_abandon(fit);
        return false;
      }
    }
    return endFit(f, fit, state);
  }

  /// Rows [first, last) of the sample.
  std::vector<std::string> answers(const PenstockLearner &f, const void *self, const std::vector<sdk::Field> &fields,
                                   const LearntSample &sample, std::size_t first, std::size_t last, std::string *reason = nullptr) const {
    LearntColumns columns(sample, first, last, false);
    AnswersGiven found(fields);
    PenstockError error{};
    if (f.answer(self, &columns.features(), &found.sink, &error) != 0 || !found.wrong.empty()) {
      found.records.clear();
      if (reason != nullptr) {
        *reason = found.wrong.empty() ? error.text : "an answer " + found.wrong;
      }
    }
    return found.records;
  }

  void learner() {
    const auto &f = *static_cast<const PenstockLearner *>(given.plugin->functions);
    const LearntSample sample(given.targets.empty() ? "" : given.targets[0]);
    const PenstockLearning learning = sample.learning(false);
    std::string state;
    PenstockError error{};
    if (given.fits) {
      std::string again;
      if (!fitLearner(f, sample, sample.rows.size(), state) || !fitLearner(f, sample, 7, again)) {
        return;
      }
      expect(state == again, "the fitted state depends on how the records are batched");
      emptyFits(f, &learning);
    }
    void *self = nullptr;
    if (f.create(&host, given.parameters, &learning, view(state), &self, &error) != 0) {
      expect(false, std::string("create failed: ") + error.text);
      return;
    }
    const std::vector<sdk::Field> fields = fieldsOf(f, self);
    const std::size_t records = sample.rows.size();
    std::string reason;
    const std::vector<std::string> all = answers(f, self, fields, sample, 0, records, &reason);
    if (all.size() != records) {
      expect(false, "answer failed: " + reason);
      f.destroy(self);
      return;
    }
    for (std::size_t i = 0; i < records; ++i) {
      const std::vector<std::string> alone = answers(f, self, fields, sample, i, i + 1);
      expect(alone.size() == 1 && alone[0] == all[i], "a record's answer depends on the other records");
    }
    expect(answers(f, self, fields, sample, 0, 0).empty(), "no records are answered");
    std::vector<std::vector<std::string>> found(3);
    std::vector<std::thread> threads;
    for (auto &mine : found) {
      threads.emplace_back([&] { mine = answers(f, self, fields, sample, 0, records); });
    }
    for (std::thread &thread : threads) {
      thread.join();
    }
    for (const auto &mine : found) {
      expect(mine == all, "threads that ask at once get other answers");
    }
    LearntColumns one(sample, 0, 1, false);
    AnswersGiven stopped(fields);
    stopped.stops = true;
    expect(f.answer(self, &one.features(), &stopped.sink, &error) != 0, "answer goes on after the sink has stopped it");
    LearntSample bad(sample.target());
    std::fill(bad.values.begin(), bad.values.end(), NAN);
    reason.clear();
    const std::vector<std::string> odd = answers(f, self, fields, bad, 0, 1, &reason);
    expect(!odd.empty() || !reason.empty(), "numbers that are not finite give neither an answer nor a reason");
    f.destroy(self);
    eachDamaged(state, [&](const std::string &damaged) {
      PenstockError said{};
      void *made = nullptr;
      if (f.create(&host, given.parameters, &learning, view(damaged), &made, &said) != 0) {
        expectReason(said, "create from a damaged state");
      } else {
        answers(f, made, fields, sample, 0, 1);
        f.destroy(made);
      }
    });
  }

  const Case &given;
  PenstockHost host{};
  std::vector<std::string> failures;
};

} // namespace detail

/// The promises that do not hold.
inline std::vector<std::string> check(const Case &given) { return detail::Checker(given).run(); }

} // namespace penstock::conformance

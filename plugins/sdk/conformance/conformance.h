// The promises of plugin_abi.h, tried on one plugin through the C boundary only. What does not hold comes back as sentences; an
// empty list is a plugin that keeps its contract as far as can be seen from outside. Run it under ASan and UBSan too: it hands in
// hard texts, damaged states, sinks that stop and builders that refuse.
#pragma once

#include "hard_texts.h"
#include "judged.h"

#include <penstock/plugin_abi.h>
#include <penstock/sdk/unicode.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
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
  bool fits = false;                // tokenizer, learner
  bool vectorInput = true;          // head
  bool classes = true;              // head: the target is a class, a set or tags, metric: it is a class or tags, not a number
  bool sets = false;                // metric: sets of labels are judged too
  bool tags = false;                // head, metric: the target is tags
  std::vector<std::string> results; // metric: the declared names for these parameters
  std::function<bool(const std::string &)> isJson = [](const std::string &) { return true; };
};

namespace detail {

struct TextTokens {
  std::vector<std::int32_t> ids;
  std::vector<std::uint32_t> starts, ends;
  bool operator==(const TextTokens &) const = default;
};

inline PenstockString view(std::string_view text) { return {text.data(), text.size()}; }

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
      for (const auto &[sets, some] : {std::pair(false, false), {false, true}, {true, false}, {true, true}}) {
        judgeSets = sets;
        lacking = some;
        if (sets ? given.sets : given.classes || !given.sets) {
          metric();
        }
      }
      break;
    case PENSTOCK_LEARNER:
      learner();
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

  /// Fits to which nothing is added: one is given up, one ends in a sink that stops. `sizes`: what fit_begin takes after the parameters.
  template <typename Functions, typename... Sizes> void emptyFits(const Functions &f, Sizes... sizes) {
    PenstockError error{};
    void *fit = nullptr;
    if (f.fit_begin(&host, given.parameters, sizes..., &fit, &error) == 0) {
      f.fit_abandon(fit);
      fit = nullptr;
    }
    if (f.fit_begin(&host, given.parameters, sizes..., &fit, &error) == 0) {
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
    if (!PENSTOCK_HAS(&f, PenstockTokenizer, special_tokens) || f.special_tokens == nullptr) {
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
    std::mt19937 random(5);
    for (int i = 0; i < 60 && !state.empty(); ++i) {
      std::string damaged = state;
      if (i % 3 == 0) {
        damaged.resize(random() % damaged.size());
      } else {
        for (int k = 0; k < 1 + i % 5; ++k) {
          damaged[random() % damaged.size()] = static_cast<char>(random());
        }
      }
      PenstockError error{};
      void *self = nullptr;
      if (f.create(&host, given.parameters, view(damaged), &self, &error) != 0) {
        expectReason(error, "create from a damaged state");
      } else {
        encode(f, self, {"a word of it, \u4e2d"}, -1);
        f.destroy(self);
      }
    }
  }

  // ---- head

  struct Recorder {
    std::map<std::string, int> parameters;
    PenstockNode next = 10;
    int calls = 0, refuseAt = -1;
    bool sequence = false, badNodes = false;
    PenstockGraphBuilder builder{};
    Recorder() {
      builder.struct_size = sizeof builder;
      builder.context = this;
      builder.op = [](void *context, PenstockString, const PenstockNode *operands, std::int32_t count, const PenstockAttribute *,
                      std::int32_t) {
        auto &self = *static_cast<Recorder *>(context);
        for (std::int32_t i = 0; i < count; ++i) {
          self.badNodes = self.badNodes || operands[i] == 0 || operands[i] >= self.next;
        }
        return self.make();
      };
      builder.parameter = [](void *context, PenstockString name, const std::int64_t *shape, std::int32_t rank, std::int32_t, double,
                             std::int32_t) {
        auto &self = *static_cast<Recorder *>(context);
        ++self.parameters[std::string(name.data, name.size)];
        for (std::int32_t i = 0; i < rank; ++i) {
          self.badNodes = self.badNodes || shape[i] < 1;
        }
        return self.make();
      };
      builder.width = [](void *, PenstockNode) -> std::int64_t { return 13; };
      builder.is_sequence = [](void *context, PenstockNode) -> std::int32_t { return static_cast<Recorder *>(context)->sequence; };
      builder.fail = [](void *, PenstockString) {};
    }
    PenstockNode make() { return calls++ == refuseAt ? 0 : next++; }
  };

  bool build(Recorder &recorder, PenstockNode target, PenstockHeadGraph &graph, PenstockError &error) {
    const auto &f = *static_cast<const PenstockHead *>(given.plugin->functions);
    graph = {sizeof graph, 0, 0, 0};
    error = {};
    return f.build(&host, given.parameters, &recorder.builder, 1, target, given.classes ? 3 : 0, &graph, &error) == 0;
  }

  void head() {
    const auto &f = *static_cast<const PenstockHead *>(given.plugin->functions);
    PenstockHeadGraph graph{};
    PenstockError error{};
    Recorder trained;
    trained.sequence = !given.vectorInput;
    expect(build(trained, 2, graph, error), std::string("build failed: ") + error.text);
    expect(graph.answer != 0 && graph.loss != 0, "build gives no answer or no loss");
    expect(!trained.badNodes, "build uses nodes or shapes that there are not");
    for (const auto &[name, count] : trained.parameters) {
      expect(count == 1 && !name.empty(), "the parameter name `" + name + "` is not unique");
    }
    Recorder answering;
    answering.sequence = !given.vectorInput;
    expect(build(answering, 0, graph, error) && graph.answer != 0 && graph.loss == 0, "without a target build gives no answer, or a loss");
    if (given.vectorInput) {
      Recorder sequence;
      sequence.sequence = true;
      expect(!build(sequence, 2, graph, error), "build takes a sequence, the manifest says vector");
      expectReason(error, "build with a sequence");
    }
    for (int at = 0; at < trained.calls; ++at) {
      Recorder refusing;
      refusing.sequence = !given.vectorInput;
      refusing.refuseAt = at;
      expect(!build(refusing, 2, graph, error), "build goes on after the builder has refused a call");
    }
    if (given.tags) {
      decodeTags();
      return;
    }
    const std::vector<std::string> names = {"a \"quoted\"\nclass", "\u4e2d\u6587", ""};
    std::vector<PenstockString> classes;
    for (const std::string &name : names) {
      classes.push_back(view(name));
    }
    const std::int64_t width = given.classes ? 3 : 1, count = given.classes ? 3 : 0;
    const float answers[] = {0.5F, 0.25F, 0.25F, 0, 1, 0};
    std::vector<std::string> texts;
    const PenstockAnswerSink sink = {sizeof sink, &texts, [](void *context, std::int64_t, PenstockString json) -> std::int32_t {
                                       static_cast<std::vector<std::string> *>(context)->emplace_back(json.data, json.size);
                                       return 0;
                                     }};
    expect(f.decode(&host, given.parameters, classes.data(), count, answers, 2, width, &sink, &error) == 0 && texts.size() == 2,
           "decode does not answer every record");
    for (const std::string &text : texts) {
      expect(given.isJson(text), "an answer is not JSON: " + text);
    }
    texts.clear();
    expect(f.decode(&host, given.parameters, classes.data(), count, answers, 0, width, &sink, &error) == 0 && texts.empty(),
           "decode of no records fails or answers");
    const float bad[] = {NAN, INFINITY, 0};
    texts.clear();
    if (f.decode(&host, given.parameters, classes.data(), count, bad, 1, width, &sink, &error) == 0) {
      for (const std::string &text : texts) {
        expect(given.isJson(text), "an answer of numbers that are not finite is not JSON: " + text);
      }
    }
  }

  /// Two records of words, one from a text and with a word that has no row, one without words.
  void decodeTags() {
    const auto &f = *static_cast<const PenstockHead *>(given.plugin->functions);
    expect(PENSTOCK_HAS(&f, PenstockHead, decode_tags) && f.decode_tags != nullptr, "there is no decode_tags");
    if (!PENSTOCK_HAS(&f, PenstockHead, decode_tags) || f.decode_tags == nullptr) {
      return;
    }
    const std::vector<PenstockString> tags = {view("B-\"a\""), view("I-\"a\""), view("O")};
    const std::string text = "\u4e2d \"b c";
    const std::vector<PenstockString> words = {view(std::string_view(text).substr(0, 3)), view(std::string_view(text).substr(4, 2)),
                                               view(std::string_view(text).substr(7, 1))};
    const std::vector<PenstockString> texts = {view(text), view("")};
    const std::int32_t rowOffsets[] = {0, 3, 4}, rowWord[] = {0, -1, 1, -1};
    const std::int64_t wordOffsets[] = {0, 3, 3}, starts[] = {0, 4, 7};
    const float answers[] = {0.5F, 0.25F, 0.25F, 0, 1, 0, 0.1F, 0.8F, 0.1F, 0, 0, 1};
    PenstockTaggedRecords records = {sizeof records, 2, rowOffsets, rowWord, wordOffsets, words.data(), texts.data(), starts};
    std::vector<std::string> answered;
    const PenstockAnswerSink sink = {sizeof sink, &answered, [](void *context, std::int64_t, PenstockString json) -> std::int32_t {
                                       static_cast<std::vector<std::string> *>(context)->emplace_back(json.data, json.size);
                                       return 0;
                                     }};
    PenstockError error{};
    expect(f.decode_tags(&host, given.parameters, tags.data(), 3, answers, 3, &records, &sink, &error) == 0 && answered.size() == 2,
           std::string("decode_tags does not answer every record: ") + error.text);
    for (const std::string &json : answered) {
      expect(given.isJson(json), "an answer is not JSON: " + json);
    }
    answered.clear();
    records.records = 0;
    expect(f.decode_tags(&host, given.parameters, tags.data(), 3, answers, 3, &records, &sink, &error) == 0 && answered.empty(),
           "decode_tags of no records fails or answers");
  }

  // ---- metric

  std::int32_t add(const PenstockMetric &f, void *self, const Judged &judged, std::size_t first, std::size_t last, bool weighted,
                   PenstockError &error) {
    const Judged before = judged;
    PenstockPredictions batch{};
    batch.struct_size = sizeof batch;
    batch.records = static_cast<std::int64_t>(last - first);
    const bool scored = judgeSets || given.classes;
    batch.width = scored ? trained : 1;
    batch.scores = scored ? judged.scores.data() + first * static_cast<std::size_t>(trained) : nullptr;
    if (judgeSets) {
      batch.gold_sets = judged.goldSets.data() + first * 5;
      batch.predicted_sets = judged.predictedSets.data() + first * 5;
    } else if (given.classes) {
      batch.gold = judged.gold.data() + first;
      batch.predicted = judged.predicted.data() + first;
    } else {
      batch.gold_numbers = judged.goldNumbers.data() + first;
      batch.predicted_numbers = judged.predictedNumbers.data() + first;
    }
    batch.weights = weighted ? judged.weights.data() + first : nullptr;
    // Every word is a sequence, so that batches may be cut anywhere.
    std::vector<std::int64_t> offsets;
    for (std::int64_t i = 0; i <= batch.records; ++i) {
      offsets.push_back(i);
    }
    batch.sequences = batch.records;
    batch.offsets = given.tags ? offsets.data() : nullptr;
    const std::int32_t failed = f.add(self, &batch, &error);
    expect(judged == before, "`add` writes into the batch that it is given");
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

  static bool tellsAll(const PenstockMetric &f) { return PENSTOCK_HAS(&f, PenstockMetric, create_for) && f.create_for != nullptr; }

  void *makeMetric(const PenstockMetric &f) {
    static const std::string names[] = {"a", "b", "c", "\u4e2d", "e e"}, tags[] = {"B-a", "B-\u4e2d", "I-a", "I-\u4e2d", "O"};
    std::vector<PenstockString> classes;
    for (const std::string &name : given.tags ? tags : names) {
      classes.push_back(view(name));
    }
    void *self = nullptr;
    PenstockError error{};
    const std::int64_t count = given.classes || judgeSets ? 5 : 0;
    if ((tellsAll(f) ? f.create_for(&host, given.parameters, classes.data(), count, std::min(count, trained), &self, &error)
                     : f.create(&host, given.parameters, classes.data(), count, &self, &error)) != 0) {
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

  void metric() {
    const auto &f = *static_cast<const PenstockMetric *>(given.plugin->functions);
    const std::size_t records = 211;
    trained = lacking && tellsAll(f) ? 3 : 5; // of five classes train has three where the metric is told so
    const Judged judged = judgedSample(records, trained);
    Judged repeated;
    for (std::size_t i = 0; i < records; ++i) {
      for (int k = 0; k < static_cast<int>(judged.weights[i]); ++k) {
        repeated.gold.push_back(judged.gold[i]);
        repeated.predicted.push_back(judged.predicted[i]);
        repeated.goldNumbers.push_back(judged.goldNumbers[i]);
        repeated.predictedNumbers.push_back(judged.predictedNumbers[i]);
        const auto row = judged.scores.begin() + static_cast<std::ptrdiff_t>(i) * trained;
        repeated.scores.insert(repeated.scores.end(), row, row + trained);
        for (std::size_t c = 0; c < 5; ++c) {
          repeated.goldSets.push_back(judged.goldSets[i * 5 + c]);
          repeated.predictedSets.push_back(judged.predictedSets[i * 5 + c]);
        }
      }
    }
    std::array<void *, 7> made{};
    const auto &[whole, batched, left, right, weighted, copies, empty] = made;
    if (std::all_of(made.begin(), made.end(), [&](void *&one) { return (one = makeMetric(f)) != nullptr; })) {
      PenstockError error{};
      bool added = add(f, whole, judged, 0, records, false, error) == 0;
      for (std::size_t at = 0; at < records; at += 13) {
        added = added && add(f, batched, judged, at, std::min(records, at + 13), false, error) == 0;
      }
      added = added && add(f, batched, judged, 5, 5, false, error) == 0 && add(f, left, judged, 0, 83, false, error) == 0 &&
              add(f, right, judged, 83, records, false, error) == 0 && add(f, weighted, judged, 0, records, true, error) == 0 &&
              add(f, copies, repeated, 0, repeated.gold.size(), false, error) == 0;
      expect(added, std::string("add failed: ") + error.text);
      expect(f.merge(left, right, &error) == 0 && f.merge(left, empty, &error) == 0, std::string("merge failed: ") + error.text);
      const Values all = valuesOf(f, whole);
      for (const std::string &name : given.results) {
        expect(all.count(name) == 1 && std::isfinite(all.at(name)), "the declared result `" + name + "` is missing or not finite");
      }
      expectClose(all, valuesOf(f, whole), "a second call of result gives another");
      expectClose(all, valuesOf(f, batched), "the result depends on the batches");
      expectClose(all, valuesOf(f, left), "merging gives another result than adding");
      if (!given.tags) { // sequences have no weights
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

  // ---- learner

  static constexpr std::int64_t learnerWidth = 11;

  struct Learnt {
    std::vector<float> values;
    std::vector<std::int64_t> rows;
    std::vector<std::string> texts;
  };

  static Learnt learntSample() {
    std::mt19937 random(8);
    Learnt made;
    const std::vector<std::string> hard = hardTexts();
    for (std::int64_t i = 0; i < 43; ++i) {
      for (std::int64_t c = 0; c < learnerWidth; ++c) {
        made.values.push_back(static_cast<float>(static_cast<int>(random() % 201) - 100) / 64.0F);
      }
      made.rows.push_back(i * 2 + 1);
      made.texts.push_back(hard[static_cast<std::size_t>(i) % 12]);
    }
    return made;
  }

  bool fitLearner(const PenstockLearner &f, const Learnt &sample, std::size_t batch, std::string &state) {
    PenstockError error{};
    void *fit = nullptr;
    if (f.fit_begin(&host, given.parameters, learnerWidth, &fit, &error) != 0) {
      expect(false, std::string("fit_begin failed: ") + error.text);
      return false;
    }
    for (std::size_t at = 0; at < sample.rows.size(); at += batch) {
      const std::size_t end = at + batch < sample.rows.size() ? at + batch : sample.rows.size();
      std::vector<PenstockString> views;
      for (std::size_t i = at; i < end; ++i) {
        views.push_back(view(sample.texts[i]));
      }
      const PenstockFitRecords records = {sizeof records,
                                          static_cast<std::int64_t>(end - at),
                                          learnerWidth,
                                          sample.values.data() + at * learnerWidth,
                                          sample.rows.data() + at,
                                          views.data()};
      if (f.fit_add(fit, &records, &error) != 0) {
        expect(false, std::string("fit_add failed: ") + error.text);
        f.fit_abandon(fit);
        return false;
      }
    }
    return endFit(f, fit, state);
  }

  std::vector<std::string> answers(const PenstockLearner &f, const void *self, const float *values, std::int64_t records,
                                   std::int64_t width, std::string *reason = nullptr) const {
    std::vector<std::string> found(static_cast<std::size_t>(records));
    const PenstockAnswerSink sink = {sizeof sink, &found, [](void *context, std::int64_t record, PenstockString json) -> std::int32_t {
                                       auto &all = *static_cast<std::vector<std::string> *>(context);
                                       all[static_cast<std::size_t>(record)].assign(json.data, json.size);
                                       return 0;
                                     }};
    PenstockError error{};
    if (f.answer(self, values, records, width, &sink, &error) != 0) {
      found.clear();
      if (reason != nullptr) {
        *reason = error.text;
      }
    }
    return found;
  }

  void learner() {
    const auto &f = *static_cast<const PenstockLearner *>(given.plugin->functions);
    const Learnt sample = learntSample();
    const auto records = static_cast<std::int64_t>(sample.rows.size());
    std::string state;
    PenstockError error{};
    if (given.fits) {
      std::string again;
      if (!fitLearner(f, sample, sample.rows.size(), state) || !fitLearner(f, sample, 7, again)) {
        return;
      }
      expect(state == again, "the fitted state depends on how the records are batched");
      emptyFits(f, learnerWidth);
    }
    void *self = nullptr;
    if (f.create(&host, given.parameters, view(state), &self, &error) != 0) {
      expect(false, std::string("create failed: ") + error.text);
      return;
    }
    std::string reason;
    const std::vector<std::string> all = answers(f, self, sample.values.data(), records, learnerWidth, &reason);
    if (all.size() != sample.rows.size()) {
      expect(false, "answer failed: " + reason);
      f.destroy(self);
      return;
    }
    for (std::size_t i = 0; i < all.size(); ++i) {
      expect(given.isJson(all[i]), "an answer is not JSON: " + all[i]);
      const std::vector<std::string> alone = answers(f, self, sample.values.data() + i * learnerWidth, 1, learnerWidth);
      expect(alone.size() == 1 && alone[0] == all[i], "a record's answer depends on the other records");
    }
    expect(answers(f, self, sample.values.data(), 0, learnerWidth).empty(), "no records are answered");
    std::vector<std::vector<std::string>> found(3);
    std::vector<std::thread> threads;
    for (auto &mine : found) {
      threads.emplace_back([&] { mine = answers(f, self, sample.values.data(), records, learnerWidth); });
    }
    for (std::thread &thread : threads) {
      thread.join();
    }
    for (const auto &mine : found) {
      expect(mine == all, "threads that ask at once get other answers");
    }
    const PenstockAnswerSink stop = {sizeof stop, nullptr, [](void *, std::int64_t, PenstockString) -> std::int32_t { return 1; }};
    expect(f.answer(self, sample.values.data(), 1, learnerWidth, &stop, &error) != 0, "answer goes on after the sink has stopped it");
    std::vector<float> bad(learnerWidth, NAN);
    reason.clear();
    const std::vector<std::string> odd = answers(f, self, bad.data(), 1, learnerWidth, &reason);
    expect(odd.empty() ? !reason.empty() : given.isJson(odd[0]), "numbers that are not finite give neither JSON nor a reason");
    f.destroy(self);
    std::mt19937 random(5);
    for (int i = 0; i < 60 && !state.empty(); ++i) { // they may be refused or used, but not crash
      std::string damaged = state;
      if (i % 3 == 0) {
        damaged.resize(random() % damaged.size());
      } else {
        for (int k = 0; k < 1 + i % 5; ++k) {
          damaged[i % 2 == 0 ? random() % 24 : random() % damaged.size()] = static_cast<char>(random());
        }
      }
      error = {};
      self = nullptr;
      if (f.create(&host, given.parameters, view(damaged), &self, &error) != 0) {
        expectReason(error, "create from a damaged state");
      } else {
        answers(f, self, sample.values.data(), 1, learnerWidth);
        f.destroy(self);
      }
    }
  }

  const Case &given;
  bool judgeSets = false, lacking = false; // lacking: train has not all classes
  std::int64_t trained = 5;
  PenstockHost host{};
  std::vector<std::string> failures;
};

} // namespace detail

/// The promises that do not hold.
inline std::vector<std::string> check(const Case &given) { return detail::Checker(given).run(); }

} // namespace penstock::conformance

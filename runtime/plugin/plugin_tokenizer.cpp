#include "runtime/base/printable.h"
#include "runtime/plugin/kind_functions.h"
#include "runtime/plugin/plugin_through.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>

namespace penstock {

namespace {

// Limits of what a plugin may ask the host to keep; docs/design/plugins.md lists them.
constexpr std::int64_t maximumVocabulary = std::int64_t{1} << 27;
constexpr std::int64_t freeTokens = 1024, tokensPerByte = 64;
constexpr std::int32_t maximumSpecial = 4096;
constexpr std::size_t maximumToken = std::size_t{1} << 24, maximumState = std::size_t{1} << 30;

/// Collects what `encode` gives and judges it.
struct TokenCollector {
  std::span<const std::string_view> texts;
  Tokenizer::Tokens &tokens;
  std::int64_t vocabularySize = 0, maxTokens = -1;
  bool withPlaces = false;
  std::size_t next = 0;
  Fault fault;

  std::int32_t accept(std::int64_t index, const std::int32_t *ids, const std::uint32_t *starts, const std::uint32_t *ends,
                      std::int64_t count) {
    if (index != static_cast<std::int64_t>(next) || next >= texts.size()) {
      return fault.say(fmt::format("it answers text {} where text {} of {} is next", index, next, texts.size()));
    }
    const std::size_t size = texts[next].size();
    std::int64_t most = freeTokens + tokensPerByte * static_cast<std::int64_t>(size);
    most = maxTokens < 0 ? most : std::min(most, maxTokens);
    if (count < 0 || count > most) {
      return fault.say(fmt::format("it gives {} tokens for a text of {} bytes, where at most {} are wanted", count, size, most));
    }
    if (count > 0 && (ids == nullptr || (withPlaces && (starts == nullptr || ends == nullptr)))) {
      return fault.say(fmt::format("it gives {} tokens at a null pointer", count));
    }
    std::int32_t low = 0, high = 0;
    for (std::int64_t i = 0; i < count; ++i) {
      low = std::min(low, ids[i]);
      high = std::max(high, ids[i]);
    }
    if (low < 0 || (count > 0 && high >= vocabularySize)) {
      return fault.say(fmt::format("id {} is outside its vocabulary of {}", low < 0 ? low : high, vocabularySize));
    }
    tokens.ids.insert(tokens.ids.end(), ids, ids + count);
    tokens.offsets.push_back(static_cast<std::int64_t>(tokens.ids.size()));
    ++next;
    return withPlaces ? acceptPlaces(starts, ends, count, size) : 0;
  }

  std::int32_t acceptPlaces(const std::uint32_t *starts, const std::uint32_t *ends, std::int64_t count, std::size_t size) {
    for (std::int64_t i = 0; i < count; ++i) {
      if (starts[i] > ends[i] || ends[i] > size) {
        return fault.say(fmt::format("the offsets [{}, {}) do not lie in a text of {} bytes", starts[i], ends[i], size));
      }
    }
    tokens.starts.insert(tokens.starts.end(), starts, starts + count);
    tokens.ends.insert(tokens.ends.end(), ends, ends + count);
    return 0;
  }
};

class PluginTokenizer final : public Tokenizer {
public:
  PluginTokenizer(Bound bound, void *self) : bound(std::move(bound)), functions(this->bound.table<PenstockTokenizer>()), self(self) {}
  ~PluginTokenizer() override {
    endObject(bound, "destroy", [&](PenstockError *) {
      functions->destroy(self);
      return 0;
    });
  }

  std::int64_t vocabularySize() const override { return size; }
  std::int32_t unknownId() const override { return unknown; }

  Result<std::string> token(std::int32_t id) const override {
    if (id < 0 || id >= size) {
      return invalidInput(fmt::format("`{}` has no token {}: its vocabulary has {}", bound.label->name, id, size));
    }
    std::string taken;
    Fault fault;
    const Status done = bound.call("token", [&](PenstockError *error) {
      PenstockString text{};
      if (const std::int32_t failed = functions->token(self, id, &text, error)) {
        return failed;
      }
      fault.guard([&] { // read within the call: the pointer may lead nowhere, and then the signal has a name
        std::string reason;
        if (!judgeText(text, maximumToken, reason)) {
          return fault.say(fmt::format("the text of token {} {}", id, reason));
        }
        taken.assign(text.data, text.size);
        return 0;
      });
      return 0;
    });
    if (fault.outOfMemory()) {
      return fault.memory(bound, "token");
    }
    PENSTOCK_TRY(fault.of(bound, "token", done));
    return taken;
  }

  Status encode(std::span<const std::string_view> texts, std::int64_t maxTokens, bool withPlaces, Tokens &tokens) const override {
    for (const std::string_view text : texts) {
      if (text.size() > UINT32_MAX) {
        return invalidInput("a text has more than 4 GiB; split it into records");
      }
    }
    tokens.clear();
    TokenCollector collector{texts, tokens, size, maxTokens, withPlaces, 0, {}};
    PenstockTokenSink sink{};
    sink.struct_size = sizeof sink;
    sink.context = &collector;
    sink.text = [](void *context, std::int64_t index, const std::int32_t *ids, const std::uint32_t *starts, const std::uint32_t *ends,
                   std::int64_t count) -> std::int32_t {
      auto *const self = ActiveSink::find<TokenCollector>(context);
      return self == nullptr ? 1 : self->fault.guard([&] { return self->accept(index, ids, starts, ends, count); });
    };
    sink.ids_only = withPlaces ? 0 : 1;
    viewStrings(texts, tokens.given);
    PENSTOCK_TRY(callWithSink(bound, "encode", &collector, collector.fault, [&](PenstockError *error) {
      return functions->encode(self, tokens.given.data(), static_cast<std::int64_t>(texts.size()), maxTokens, &sink, error);
    }));
    if (collector.next != texts.size()) {
      return bound.broken("encode", fmt::format("{} of {} texts were answered", collector.next, texts.size()));
    }
    return Status::success();
  }

  const SpecialTokens &specialTokens() const override { return special; }

  /// Asks, once, for what does not change.
  Status readVocabulary() {
    PENSTOCK_TRY(bound.call("vocabulary_size", [&](PenstockError *) {
      size = functions->vocabulary_size(self);
      return 0;
    }));
    if (size < 1 || size > maximumVocabulary) {
      return bound.broken("vocabulary_size", fmt::format("its vocabulary has {} tokens; it must have 1 to {}", size, maximumVocabulary));
    }
    PENSTOCK_TRY(bound.call("unknown_id", [&](PenstockError *) {
      unknown = functions->unknown_id(self);
      return 0;
    }));
    if (unknown < 0 || unknown >= size) {
      return bound.broken("unknown_id", fmt::format("its unknown id {} does not lie in its vocabulary of {}", unknown, size));
    }
    if (functions->special_tokens == nullptr) {
      return Status::success();
    }
    Fault fault;
    const Status done = bound.call("special_tokens", [&](PenstockError *error) {
      PenstockSpecialTokens given{};
      given.struct_size = sizeof given;
      if (const std::int32_t failed = functions->special_tokens(self, &given, error)) {
        return failed;
      }
      fault.guard([&] { // within the call, as in `token`
        return take("prefix", given.prefix, given.prefix_count, special.prefix, fault) != 0 ||
               take("separator", given.separator, given.separator_count, special.separator, fault) != 0 ||
               take("suffix", given.suffix, given.suffix_count, special.suffix, fault) != 0;
      });
      return 0;
    });
    return fault.outOfMemory() ? fault.memory(bound, "special_tokens") : fault.of(bound, "special_tokens", done);
  }

private:
  std::int32_t take(const char *what, const std::int32_t *ids, std::int32_t count, std::vector<std::int32_t> &into, Fault &fault) const {
    if (!plausible(ids, count, maximumSpecial)) {
      return fault.say(fmt::format("its {} has {} tokens{}; 0 to {} are taken", what, count, ids == nullptr ? " at a null pointer" : "",
                                   maximumSpecial));
    }
    into.assign(ids, ids + count);
    const auto wrong = std::find_if(into.begin(), into.end(), [&](std::int32_t id) { return id < 0 || id >= size; });
    if (wrong != into.end()) {
      return fault.say(fmt::format("the id {} of its {} is outside its vocabulary of {}", *wrong, what, size));
    }
    return 0;
  }

  Bound bound;
  const PenstockTokenizer *functions;
  void *self;
  std::int64_t size = 0;
  std::int32_t unknown = 0;
  SpecialTokens special;
};

/// The host's services with an ear for what a fit remarks when it begins. Lives as long as the fit, which may keep the pointer.
class Remarks {
public:
  explicit Remarks(const PenstockHost &services) : lent(services) {
    lent.struct_size = sizeof lent;
    lent.context = this;
    lent.remark = [](void *self, PenstockString parameter, PenstockString message) {
      if (auto *const remarks = ActiveSink::find<Remarks>(self)) {
        remarks->fault.guard([&] { return remarks->add(parameter, message); });
      }
    };
  }
  Remarks(const Remarks &) = delete;
  Remarks &operator=(const Remarks &) = delete;

  const PenstockHost *services() const { return &lent; }
  Fault fault;
  std::vector<PluginNote> notes;

private:
  std::int32_t add(PenstockString parameter, PenstockString message) {
    static constexpr std::size_t most = 100, longest = 4096;
    if ((parameter.data == nullptr && parameter.size > 0) || (message.data == nullptr && message.size > 0)) {
      return fault.say("it remarks a text at a null pointer");
    }
    if (notes.size() < most) {
      const auto text = [](PenstockString given) { return std::string(given.data, std::min(given.size, longest)); };
      notes.push_back({text(parameter), printable(text(message))});
    }
    return 0;
  }

  PenstockHost lent;
};

/// The services come first, so that they outlive the plugin's fit.
class PluginTokenizerFit final : private std::unique_ptr<Remarks>, public PluginFit<TokenizerFit, PenstockTokenizer> {
public:
  PluginTokenizerFit(Bound bound, void *fit, std::size_t stateLimit, std::unique_ptr<Remarks> remarks)
      : std::unique_ptr<Remarks>(std::move(remarks)), PluginFit(std::move(bound), fit, stateLimit) {}
  const std::vector<PluginNote> &notes() const override { return get()->notes; }
  Status add(const std::vector<std::string_view> &texts) override {
    const std::vector<PenstockString> views = stringViews(texts);
    return give(views.data(), static_cast<std::int64_t>(views.size()));
  }
};

} // namespace

Result<std::shared_ptr<const Tokenizer>> makeTokenizer(Bound bound, const std::string &state) {
  PENSTOCK_ASSIGN(void *const self, makeObject(bound, "create", [&](void **made, PenstockError *error) {
                    return bound.table<PenstockTokenizer>()->create(bound.services, bound.parameters(), stringView(state), made, error);
                  }));
  auto made = std::make_shared<PluginTokenizer>(std::move(bound), self);
  PENSTOCK_TRY(made->readVocabulary());
  return std::shared_ptr<const Tokenizer>(std::move(made));
}

Result<std::shared_ptr<const Tokenizer>> makeTokenizer(PluginHost &host, const std::string &plugin, const std::string &parametersJson,
                                                       const std::string &state) {
  PENSTOCK_ASSIGN(Bound bound, bindPlugin(host, plugin, PluginKind::tokenizer, parametersJson));
  return makeTokenizer(std::move(bound), state);
}

Result<std::unique_ptr<TokenizerFit>> fitTokenizer(Bound bound) {
  if (!bound.manifest->fits) {
    return invalidInput(fmt::format("tokenizer `{}` has nothing to fit", bound.label->name));
  }
  auto remarks = std::make_unique<Remarks>(*bound.services);
  const ActiveSink active(remarks.get(), remarks->fault);
  PENSTOCK_ASSIGN(void *const fit, makeObject(bound, "fit_begin", [&](void **made, PenstockError *error) {
                    return bound.table<PenstockTokenizer>()->fit_begin(remarks->services(), bound.parameters(), made, error);
                  }));
  Status heard = remarks->fault.of(bound, "fit_begin", Status::success());
  auto begun = std::make_unique<PluginTokenizerFit>(std::move(bound), fit, maximumState, std::move(remarks));
  PENSTOCK_TRY(std::move(heard));
  return std::unique_ptr<TokenizerFit>(std::move(begun));
}

Result<std::unique_ptr<TokenizerFit>> fitTokenizer(PluginHost &host, const std::string &plugin, const std::string &parametersJson) {
  PENSTOCK_ASSIGN(Bound bound, bindPlugin(host, plugin, PluginKind::tokenizer, parametersJson));
  return fitTokenizer(std::move(bound));
}

namespace {

void check(const PluginManifest &manifest, const void *functions, Missing &missing) {
  const auto &f = *static_cast<const PenstockTokenizer *>(functions);
  missing.needFit(manifest, f);
  missing.need(f.create, "create");
  missing.need(f.destroy, "destroy");
  missing.need(f.vocabulary_size, "vocabulary_size");
  missing.need(f.unknown_id, "unknown_id");
  missing.need(f.token, "token");
  missing.need(f.encode, "encode");
}

Status tryTokenizer(const Bound &bound) {
  const std::vector<std::string_view> texts = {"a pump leaks", "no leak, 2 words"};
  std::string state;
  if (bound.manifest->fits) {
    TAKE_UNLESS_REFUSED(fit, fitTokenizer(bound));
    TRY_UNLESS_REFUSED(fit->add(texts));
    TAKE_UNLESS_REFUSED(fitted, fit->end());
    state = std::move(fitted);
  }
  TAKE_UNLESS_REFUSED(tokenizer, makeTokenizer(bound, state));
  TAKE_UNLESS_REFUSED(unknown, tokenizer->token(tokenizer->unknownId()));
  Tokenizer::Tokens tokens;
  TRY_UNLESS_REFUSED(tokenizer->encode(texts, -1, true, tokens));
  TRY_UNLESS_REFUSED(tokenizer->encode(texts, 1, false, tokens));
  return Status::success();
}

const void *wrap(const void *functions) {
  static PenstockTokenizer table;
  table = copyOf<PenstockTokenizer>(functions);
  wrapFit(table);
  WRAP(table, PenstockTokenizer, create);
  WRAP(table, PenstockTokenizer, destroy);
  WRAP(table, PenstockTokenizer, vocabulary_size);
  WRAP(table, PenstockTokenizer, unknown_id);
  WRAP(table, PenstockTokenizer, token);
  WRAP(table, PenstockTokenizer, encode);
  WRAP(table, PenstockTokenizer, special_tokens);
  return &table;
}

} // namespace

static_assert(static_cast<int>(PluginKind::tokenizer) == PENSTOCK_TOKENIZER);
const KindFunctions tokenizerFunctions = {PENSTOCK_SIZE_WITH(PenstockTokenizer, special_tokens), check, tryTokenizer, wrap};

} // namespace penstock

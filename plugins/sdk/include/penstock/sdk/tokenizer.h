// A tokenizer in C++. Write a class
//
//     class Mine {
//     public:
//       Mine(const sdk::Parameters &, std::string_view state);      // throw sdk::Failure to refuse
//       std::int64_t vocabularySize() const;
//       std::int32_t unknownId() const;
//       std::string_view token(std::int32_t id) const;              // valid as long as the object; 0 <= id < size
//       void encode(std::string_view text, sdk::Tokens &tokens) const;  // until tokens.full()
//       const sdk::SpecialTokens &specialTokens() const;            // may be left out: none
//     };
//
// and `PENSTOCK_TOKENIZER(Mine, "mine", "1.0.0")`. A tokenizer that is fitted on train has a second class
//
//     class MineFit {
//     public:
//       explicit MineFit(const sdk::Parameters &);
//       void add(std::string_view text);
//       std::string end();                                          // the state that Mine's constructor receives
//     };
//
// and `PENSTOCK_FITTED_TOKENIZER(Mine, MineFit, "mine", "1.0.0")`. Mine is used by many threads at once. One that needs memory to encode
// has a `struct Scratch` and takes it, as the last call left it: `encode(text, tokens, scratch)`.
#pragma once

#include <penstock/sdk/common.h>

#include <cstddef>
#include <limits>
#include <memory>

namespace penstock::sdk {

/// Ids that the host puts around the tokens of a record: prefix A suffix, or of two texts prefix A separator B suffix.
struct SpecialTokens {
  std::vector<std::int32_t> prefix, separator, suffix;
};

/// The tokens of one text, in order.
class Tokens {
public:
  void add(std::int32_t id, std::size_t start, std::size_t end) {
    if (count == room) {
      grow();
    }
    ids[count] = id;
    if (places) {
      starts[count] = static_cast<std::uint32_t>(start);
      ends[count] = static_cast<std::uint32_t>(end);
    }
    ++count;
  }
  /// For tokenizers that write many tokens at once: memory for `more` of them behind those that are there, and how many of these
  /// were written. Places are NULL where nobody reads them.
  struct Slots {
    std::int32_t *ids;
    std::uint32_t *starts, *ends;
  };
  Slots slots(std::size_t more) {
    while (room - count < more) {
      grow();
    }
    return {ids.data() + count, places ? starts.data() + count : nullptr, places ? ends.data() + count : nullptr};
  }
  void grew(std::size_t more) { count += more; }
  bool wantsPlaces() const { return places; }
  /// Whether as many tokens are there as the caller wants; more may be added and are cut off.
  bool full() const { return count >= limit; }
  std::size_t size() const { return count; }
  /// Takes back all tokens from number `first` on.
  void cut(std::size_t first) { count = first; }

  /// `withPlaces`: whether somebody reads where the tokens stand.
  explicit Tokens(bool withPlaces) : places(withPlaces) {}
  void begin(std::int64_t maxTokens) {
    count = 0;
    limit = maxTokens < 0 ? std::numeric_limits<std::size_t>::max() : static_cast<std::size_t>(maxTokens);
  }
  std::int32_t give(const PenstockTokenSink &sink, std::int64_t index) const {
    return sink.text(sink.context, index, ids.data(), places ? starts.data() : nullptr, places ? ends.data() : nullptr,
                     static_cast<std::int64_t>(count < limit ? count : limit));
  }

private:
  void grow() {
    room = room < 64 ? 128 : room * 2;
    ids.resize(room);
    if (places) {
      starts.resize(room);
      ends.resize(room);
    }
  }

  std::vector<std::int32_t> ids;
  std::vector<std::uint32_t> starts, ends;
  std::size_t count = 0, room = 0, limit = 0;
  bool places;
};

template <typename T, typename Fit = NoFit> struct TokenizerFunctions {
  /// What a call to `encode` uses.
  struct Encoding {
    Tokens tokens;
    typename ScratchOf<T>::Type scratch;
  };
  struct Object {
    Object(const Parameters &parameters, std::string_view state) : tokenizer(parameters, state) {}
    T tokenizer;
    mutable Spares<Encoding> spares[2]; // without places, and with them
  };
  static const T &of(const void *self) { return static_cast<const Object *>(self)->tokenizer; }

  static std::int32_t fitAdd(void *fit, const PenstockString *texts, std::int64_t count, PenstockError *error) {
    return guarded(error, [&] {
      for (std::int64_t i = 0; i < count; ++i) {
        static_cast<Fit *>(fit)->add(view(texts[i]));
      }
    });
  }

  static std::int32_t create(const PenstockHost *, const PenstockParameters *parameters, PenstockString state, void **self,
                             PenstockError *error) {
    return guarded(error, [&] { *self = std::make_unique<Object>(Parameters(parameters), view(state)).release(); });
  }
  static void destroy(void *self) { destroyed<Object>(self); }
  static std::int64_t vocabularySize(const void *self) {
    return guardedOr<std::int64_t>(-1, [&] { return of(self).vocabularySize(); });
  }
  static std::int32_t unknownId(const void *self) {
    return guardedOr<std::int32_t>(-1, [&] { return of(self).unknownId(); });
  }
  static std::int32_t token(const void *self, std::int32_t id, PenstockString *text, PenstockError *error) {
    return guarded(error, [&] {
      const T &tokenizer = of(self);
      if (id < 0 || id >= tokenizer.vocabularySize()) {
        throw Failure("there is no token " + std::to_string(id));
      }
      *text = string(tokenizer.token(id));
    });
  }
  static std::int32_t encode(const void *self, const PenstockString *texts, std::int64_t count, std::int64_t maxTokens,
                             const PenstockTokenSink *sink, PenstockError *error) {
    return guarded(error, [&] {
      const bool idsOnly = PENSTOCK_HAS(sink, PenstockTokenSink, ids_only) && sink->ids_only != 0;
      const auto lent = static_cast<const Object *>(self)->spares[idsOnly ? 0 : 1].borrow([&] { return Encoding{Tokens(!idsOnly), {}}; });
      Tokens &tokens = lent->tokens;
      for (std::int64_t i = 0; i < count; ++i) {
        tokens.begin(maxTokens);
        withScratch(lent->scratch, [&](auto &...scratch) { of(self).encode(view(texts[i]), tokens, scratch...); });
        if (tokens.give(*sink, i) != 0) {
          throw Failure("the host stopped the plugin");
        }
      }
    });
  }

  static std::int32_t specialTokens(const void *self, PenstockSpecialTokens *special, PenstockError *error) {
    return guarded(error, [&] {
      const SpecialTokens &mine = of(self).specialTokens();
      special->prefix = mine.prefix.data();
      special->prefix_count = static_cast<std::int32_t>(mine.prefix.size());
      special->separator = mine.separator.data();
      special->separator_count = static_cast<std::int32_t>(mine.separator.size());
      special->suffix = mine.suffix.data();
      special->suffix_count = static_cast<std::int32_t>(mine.suffix.size());
    });
  }

  static const PenstockTokenizer *table() {
    static const PenstockTokenizer functions = [] {
      PenstockTokenizer f{};
      f.struct_size = sizeof f;
      FitFunctions<Fit>::template fill<TokenizerFunctions>(f);
      f.create = create;
      f.destroy = destroy;
      f.vocabulary_size = vocabularySize;
      f.unknown_id = unknownId;
      f.token = token;
      f.encode = encode;
      if constexpr (requires(const T &tokenizer) { tokenizer.specialTokens(); }) {
        f.special_tokens = specialTokens;
      }
      return f;
    }();
    return &functions;
  }
};

} // namespace penstock::sdk

#define PENSTOCK_TOKENIZER(CLASS, NAME, VERSION)                                                                                           \
  PENSTOCK_PLUGIN_ENTRY(PENSTOCK_TOKENIZER, ::penstock::sdk::TokenizerFunctions<CLASS>::table(), NAME, VERSION)
#define PENSTOCK_FITTED_TOKENIZER(CLASS, FIT, NAME, VERSION)                                                                               \
  PENSTOCK_PLUGIN_ENTRY(PENSTOCK_TOKENIZER, (::penstock::sdk::TokenizerFunctions<CLASS, FIT>::table()), NAME, VERSION)

// Byte-level byte pair encoding, as GPT-2 and RoBERTa have it; ids and offsets are those of Hugging Face's `tokenizers`. Offsets are
// bytes of the original text; a token that holds a part of a character covers all of it.
//
// A piece of the text that is one token is found at once in a table; of others the bytes are merged by the list.
#include "byte_level.h"
#include "merges.h"

#include <penstock/sdk/short_keys.h>
#include <penstock/sdk/tokenizer_folder.h>

namespace {

using namespace penstock;

// 1: the parameters say which token is unknown. Runs have either.
constexpr std::string_view oldHeader = "penstock-bpe 1\n", header = "penstock-bpe 2\n";

/// What a vocabulary and a list of merges say; the fit reads it from files and leaves it as the state.
struct Model {
  std::vector<std::string> tokens; // empty where an id has none
  std::vector<Merge> merges;
  sdk::SpecialTokens special;
  bool prefixSpace = false;
  std::string unknown;

  std::string save() const {
    sdk::StateWriter state(header);
    state.number(tokens.size());
    for (const std::string &token : tokens) {
      state.text(token);
    }
    state.number(merges.size());
    for (const Merge &merge : merges) {
      state.number(static_cast<std::size_t>(merge.left));
      state.number(static_cast<std::size_t>(merge.right));
      state.number(static_cast<std::size_t>(merge.result));
    }
    state.numbers(special.prefix);
    state.numbers(special.separator);
    state.numbers(special.suffix);
    state.number(prefixSpace ? 1 : 0);
    state.text(unknown);
    return state.end();
  }

  static Model restore(std::string_view bytes, const sdk::Parameters &parameters) {
    const bool old = bytes.starts_with(oldHeader);
    sdk::StateReader state(bytes, old ? oldHeader : header, "bpe");
    Model model;
    model.tokens.resize(state.count(4));
    for (std::string &token : model.tokens) {
      token = state.text();
      if (!sdk::isUtf8(token)) {
        throw state.damaged();
      }
    }
    const std::size_t size = model.tokens.size();
    model.merges.resize(state.count(12));
    for (Merge &merge : model.merges) {
      merge.left = state.id(size);
      merge.right = state.id(size);
      merge.result = state.id(size);
    }
    model.special.prefix = state.numbers(size);
    model.special.separator = state.numbers(size);
    model.special.suffix = state.numbers(size);
    model.prefixSpace = state.number() != 0;
    model.unknown = !old ? state.text() : parameters.has("unknown") ? parameters.text("unknown") : "<unk>";
    return model;
  }
};

class ModelReader {
public:
  explicit ModelReader(const sdk::Parameters &parameters)
      : parameters(parameters), folder(std::string(parameters.text("vocab")), {"tokenizer.json", "vocab.json"}),
        settled(parameters, folder) {}

  Model read() {
    const std::string &path = folder.main();
    const std::string bytes = sdk::readFile(path, "the vocabulary");
    const nlohmann::json json = nlohmann::json::parse(bytes, nullptr, false);
    if (json.is_object() && json.contains("model") && json["model"].is_object()) {
      if (!parameters.text("merges").empty()) {
        throw sdk::Failure("the vocabulary " + path + " is a tokenizer.json, which has its merges itself; leave `merges` out");
      }
      readTokenizer(sdk::TokenizerJson(path, bytes, "BPE"));
    } else {
      readPlain(path, json);
    }
    model.unknown = settled.text("unknown", folder.token("unk_token"), "the folder says `unk_token`", "<unk>");
    if (!parameters.flag("special")) {
      model.special = {};
    }
    return std::move(model);
  }

private:
  /// vocab.json and merges.txt.
  void readPlain(const std::string &path, const nlohmann::json &json) {
    if (!json.is_object() || json.empty()) {
      throw sdk::Failure("the vocabulary " + path + " is no JSON object of tokens and ids");
    }
    for (const auto &[token, id] : json.items()) {
      if (!id.is_number_integer() || id.get<std::int64_t>() < 0 || id.get<std::int64_t>() >= sdk::TokenizerJson::mostTokens) {
        throw sdk::Failure("the vocabulary " + path + " gives `" + token + "` an id that is no number below " +
                           std::to_string(sdk::TokenizerJson::mostTokens));
      }
      place(token, id.get<std::size_t>());
    }
    std::string merges(parameters.text("merges"));
    if (merges.empty()) {
      if (folder.main() == parameters.text("vocab")) {
        throw sdk::Failure("the vocabulary " + path +
                           " holds no merges; give `merges: \"merges.txt\"` too, or a tokenizer.json, or the folder");
      }
      merges = folder.file("merges.txt");
    }
    const std::string lines = sdk::readFile(merges, "the list of merges");
    std::size_t number = 0;
    for (std::string_view left = lines; !left.empty();) {
      const std::size_t end = std::min(left.find('\n'), left.size());
      std::string_view line = left.substr(0, end);
      left.remove_prefix(std::min(end + 1, left.size()));
      ++number;
      if (!line.empty() && line.back() == '\r') {
        line.remove_suffix(1);
      }
      if (line.empty() || line.starts_with("#version")) {
        continue;
      }
      const std::size_t space = line.find(' ');
      if (space == std::string_view::npos || line.find(' ', space + 1) != std::string_view::npos) {
        throw sdk::Failure(merges + ":" + std::to_string(number) + ": a merge is two tokens with a space between");
      }
      addMerge(std::string(line.substr(0, space)), std::string(line.substr(space + 1)), merges + ":" + std::to_string(number));
    }
    folder.refuseAdded([&](const std::string &token) { return ids.count(token) > 0; });
    std::string says;
    const std::optional<bool> space = sdk::settingOf(parameters, folder, std::nullopt, "", "add_prefix_space", says);
    model.prefixSpace = settled.flag("prefix_space", space, says, false);
    if (parameters.flag("special") && !folder.className().starts_with("GPT2")) { // GPT-2 puts nothing around texts
      const std::int32_t begin = specialId(folder.token("cls_token").value_or("<s>"));
      const std::int32_t end = specialId(folder.token("sep_token").value_or("</s>"));
      model.special = {{begin}, {end, end}, {end}};
    }
  }

  void readTokenizer(const sdk::TokenizerJson &json) {
    for (std::size_t id = 0; id < json.tokens().size(); ++id) {
      if (!json.tokens()[id].empty()) {
        place(json.tokens()[id], id);
      }
    }
    model.tokens.resize(json.tokens().size());
    if (!json.part("normalizer").empty()) {
      throw json.fail("its normalizer `" + json.textOf(json.part("normalizer"), "type") + "` is not supported");
    }
    const auto cut = json.part("pre_tokenizer");
    if (json.textOf(cut, "type") != "ByteLevel") {
      throw json.fail("its pre-tokenizer `" + json.textOf(cut, "type") + "` is not supported; byte-level BPE has `ByteLevel`");
    }
    json.require(cut, "pre_tokenizer", "use_regex", true);
    std::string says;
    const std::optional<bool> space =
        sdk::settingOf(parameters, folder, json.flagOf(cut, "add_prefix_space", true), "add_prefix_space", "add_prefix_space", says);
    model.prefixSpace = settled.flag("prefix_space", space, says, false);
    const auto &part = json.model();
    json.require(part, "model", "dropout", nullptr);
    json.require(part, "model", "continuing_subword_prefix", "");
    json.require(part, "model", "end_of_word_suffix", "");
    json.require(part, "model", "byte_fallback", false);
    json.require(part, "model", "ignore_merges", false);
    if (!part.contains("merges") || !part["merges"].is_array()) {
      throw json.fail("its model has no `merges`");
    }
    std::size_t number = 0;
    for (const auto &merge : part["merges"]) {
      const std::string where = "merge " + std::to_string(number++) + " of " + folder.main();
      if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
        addMerge(merge[0].get<std::string>(), merge[1].get<std::string>(), where);
        continue;
      }
      const std::string text = merge.is_string() ? merge.get<std::string>() : "";
      const std::size_t space = text.find(' ');
      if (space == std::string::npos || text.find(' ', space + 1) != std::string::npos) {
        throw sdk::Failure(where + " is not two tokens");
      }
      addMerge(text.substr(0, space), text.substr(space + 1), where);
    }
    if (parameters.flag("special")) {
      model.special = json.special();
    }
  }

  void place(const std::string &token, std::size_t id) {
    if (id >= model.tokens.size()) {
      model.tokens.resize(id + 1);
    }
    if (!model.tokens[id].empty() && model.tokens[id] != token) {
      throw sdk::Failure("the tokens `" + model.tokens[id] + "` and `" + token + "` of the vocabulary have one id");
    }
    if (!sdk::isUtf8(token)) {
      throw sdk::Failure("the vocabulary has a token that is not UTF-8");
    }
    model.tokens[id] = token;
    ids[token] = static_cast<std::int32_t>(id);
  }

  void addMerge(const std::string &left, const std::string &right, const std::string &where) {
    const auto idOf = [&](const std::string &token) {
      const auto found = ids.find(token);
      if (found == ids.end()) {
        throw sdk::Failure(where + ": the vocabulary has no token `" + token + "`");
      }
      return found->second;
    };
    model.merges.push_back({idOf(left), idOf(right), idOf(left + right)});
  }

  std::int32_t specialId(const std::string &token) const {
    const auto found = ids.find(token);
    if (found == ids.end()) {
      throw sdk::Failure("the vocabulary has no token `" + token +
                         "`, which `special: true` puts around each text; give `special: false` for a model that wants none");
    }
    return found->second;
  }

  const sdk::Parameters &parameters;
  sdk::TokenizerFolder folder;
  sdk::Settled settled;
  Model model;
  std::unordered_map<std::string, std::int32_t> ids;
};

class BytePairs {
public:
  BytePairs(const sdk::Parameters &parameters, std::string_view state)
      : model(state.empty() ? ModelReader(parameters).read() : Model::restore(state, parameters)), merges(model.merges) {
    std::unordered_map<std::string_view, std::int32_t> ids;
    for (std::size_t id = 0; id < model.tokens.size(); ++id) {
      if (!model.tokens[id].empty()) {
        ids[model.tokens[id]] = static_cast<std::int32_t>(id);
      }
    }
    for (unsigned byte = 0; byte < 256; ++byte) {
      const auto found = ids.find(ByteLevel::spelled(static_cast<unsigned char>(byte)));
      if (found == ids.end()) {
        throw sdk::Failure("the vocabulary is not byte-level: it has no token for the byte " + std::to_string(byte));
      }
      byteIds[byte] = found->second;
    }
    const auto found = ids.find(model.unknown);
    if (found == ids.end()) {
      throw sdk::Failure("the vocabulary has no token `" + model.unknown + "` for a text without tokens; name one with `unknown`");
    }
    unknown = found->second;
    findWholeTokens();
  }

  std::int64_t vocabularySize() const { return static_cast<std::int64_t>(model.tokens.size()); }
  std::int32_t unknownId() const { return unknown; }
  std::string_view token(std::int32_t id) const { return model.tokens[static_cast<std::size_t>(id)]; }
  const sdk::SpecialTokens &specialTokens() const { return model.special; }

  using Scratch = Merges::Scratch;

  void encode(std::string_view text, sdk::Tokens &out, Scratch &scratch) const {
    if (text.empty()) {
      return;
    }
    const ByteLevel &level = ByteLevel::get();
    // The last bytes once more, so that a whole key can be read from any place.
    std::array<char, 2 * sdk::ShortKey::mostBytes> padded = {};
    const std::size_t tail = text.size() - std::min<std::size_t>(text.size(), sdk::ShortKey::mostBytes - 1);
    text.copy(padded.data(), text.size() - tail, tail);
    std::size_t at = 0, size = 0;
    if (model.prefixSpace && text[0] != ' ') {
      // The first piece of the text behind a space: of spaces all but the last before something else.
      const ByteLevel::Kind kind = level.kindAt(text, 0, size);
      at = level.runEnd(text, size, kind);
      if (kind == ByteLevel::space && at < text.size()) {
        do {
          --at;
        } while (continues(text, at));
      }
      mergePiece(text, 0, at, true, scratch, out);
    }
    while (at < text.size() && !out.full()) {
      const std::size_t end = level.pieceEnd(text, at);
      if (end - at <= longestWhole) {
        const char *bytes = at < tail ? text.data() + at : padded.data() + (at - tail);
        if (const std::int32_t id = whole.find(keyOf(bytes, end - at)); id >= 0) {
          out.add(id, at, end);
          at = end;
          continue;
        }
      }
      mergePiece(text, at, end, false, scratch, out);
      at = end;
    }
  }

private:
  static constexpr std::size_t longestWhole = sdk::ShortKey::mostBytes - 1; // the last byte of the key is the size

  static bool continues(std::string_view text, std::size_t at) { return (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80; }

  static sdk::ShortKey keyOf(const char *bytes, std::size_t size) {
    sdk::ShortKey key = sdk::ShortKey::of(bytes, size, false);
    key.high |= static_cast<std::uint64_t>(size) << 56;
    return key;
  }

  /// Tokens whose bytes merge to themselves: most, but not what only another way of merging makes.
  void findWholeTokens() {
    std::vector<std::pair<sdk::ShortKey, std::int32_t>> items;
    Merges::Scratch scratch;
    std::string bytes;
    for (std::size_t id = 0; id < model.tokens.size(); ++id) {
      if (model.tokens[id].empty() || !ByteLevel::get().bytesOf(model.tokens[id], bytes) || bytes.size() > longestWhole) {
        continue;
      }
      begin(bytes, scratch);
      merges.run(scratch);
      if (scratch.symbols.size() == 1 && scratch.symbols[0].id == static_cast<std::int32_t>(id)) {
        bytes.resize(sdk::ShortKey::mostBytes);
        items.emplace_back(keyOf(bytes.data(), scratch.symbols[0].end), static_cast<std::int32_t>(id));
      }
    }
    whole = sdk::ShortKeyTable(items);
  }

  void begin(std::string_view bytes, Merges::Scratch &scratch) const {
    scratch.symbols.clear();
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      scratch.symbols.push_back({byteIds[static_cast<unsigned char>(bytes[i])], static_cast<std::uint32_t>(i + 1)});
    }
  }

  /// The bytes [start, end), behind a space that is not in the text where `spaced`.
  void mergePiece(std::string_view text, std::size_t start, std::size_t end, bool spaced, Merges::Scratch &scratch,
                  sdk::Tokens &out) const {
    const std::string_view bytes = text.substr(start, end - start);
    begin(bytes, scratch);
    if (spaced) {
      for (Symbol &symbol : scratch.symbols) {
        ++symbol.end;
      }
      scratch.symbols.insert(scratch.symbols.begin(), Symbol{byteIds[' '], 1});
    }
    merges.run(scratch);
    const std::size_t shift = spaced ? 1 : 0;
    std::size_t first = 0;
    for (const Symbol &symbol : scratch.symbols) {
      if (!out.wantsPlaces()) {
        out.add(symbol.id, 0, 0);
        continue;
      }
      // From the first character that the token touches to the last; the space counts to the text's first.
      std::size_t from = start + (first < shift ? 0 : first - shift);
      std::size_t to = start + std::max<std::size_t>(symbol.end - shift, 1);
      while (from > start && continues(text, from)) {
        --from;
      }
      while (to < text.size() && continues(text, to)) {
        ++to;
      }
      out.add(symbol.id, from, to);
      first = symbol.end;
    }
  }

  Model model;
  Merges merges;
  std::array<std::int32_t, 256> byteIds = {};
  sdk::ShortKeyTable whole;
  std::int32_t unknown = 0;
};

class BytePairsFit {
public:
  explicit BytePairsFit(const sdk::Parameters &parameters) : state(ModelReader(parameters).read().save()) {}
  void add(std::string_view) {}
  std::string end() { return std::move(state); }

private:
  std::string state;
};

} // namespace

PENSTOCK_FITTED_TOKENIZER(BytePairs, BytePairsFit, "bpe", "1.1.0")

// What a WordPiece model is made of: vocab.txt with its settings, or a tokenizer.json, and the parameters of the call.
#pragma once

#include <penstock/sdk/tokenizer_folder.h>

#include <algorithm>

namespace penstock {

/// What vocab.txt with its settings, or tokenizer.json, and the parameters say; the fit reads it from the files and leaves it as the
/// state.
struct WordPieceModel {
  // 1: the lines of a vocab.txt, to which the parameters belong. 2: parts; accents go with capitals. 3: parts. Runs have any of them.
  static constexpr std::string_view linesHeader = "penstock-wordpiece 1\n", oldHeader = "penstock-wordpiece 2\n",
                                    partsHeader = "penstock-wordpiece 3\n";

  std::vector<std::string> tokens; // empty where an id has none
  bool lowercase = true, stripAccents = true, splitChinese = true;
  std::size_t mostCharacters = 100;
  std::int32_t unknown = 0;
  sdk::SpecialTokens special;

  /// The state of the folder or file that the parameters name.
  static std::string stateOf(const sdk::Parameters &parameters) {
    const sdk::TokenizerFolder folder(std::string(parameters.text("vocab")), {"tokenizer.json", "vocab.txt"});
    const std::string bytes = sdk::readFile(folder.main(), "the vocabulary");
    const bool isJson = sdk::TokenizerJson::isOne(folder.main());
    return (isJson ? fromJson(folder, bytes, parameters) : fromFolder(folder, bytes, parameters)).save();
  }

  static WordPieceModel restore(std::string_view state, const sdk::Parameters &parameters) {
    if (state.starts_with(linesHeader)) {
      WordPieceModel model;
      model.readLines(state.substr(linesHeader.size()));
      const bool lowercase = !parameters.has("lowercase") || parameters.flag("lowercase");
      model.lowercase = model.stripAccents = lowercase;
      if (parameters.has("max_word_characters")) {
        model.mostCharacters = static_cast<std::size_t>(parameters.integer("max_word_characters"));
      }
      model.name(parameters, parameters.has("unknown") ? std::string(parameters.text("unknown")) : "[UNK]", "[CLS]", "[SEP]");
      return model;
    }
    const bool old = state.starts_with(oldHeader);
    sdk::StateReader reader(state, old ? oldHeader : partsHeader, "wordpiece");
    WordPieceModel model;
    model.tokens.resize(reader.count(4));
    for (std::string &token : model.tokens) {
      token = reader.text();
      if (!sdk::isUtf8(token)) {
        throw reader.damaged();
      }
    }
    model.lowercase = model.stripAccents = reader.number() != 0;
    if (!old) {
      model.stripAccents = reader.number() != 0;
      model.splitChinese = reader.number() != 0;
    }
    model.mostCharacters = std::clamp<std::size_t>(reader.number(), 1, mostWordCharacters);
    model.unknown = reader.id(model.tokens.size());
    model.special.prefix = reader.numbers(model.tokens.size());
    model.special.separator = reader.numbers(model.tokens.size());
    model.special.suffix = reader.numbers(model.tokens.size());
    return model;
  }

private:
  static constexpr std::size_t mostWordCharacters = 1000;

  std::string save() const {
    sdk::StateWriter state(partsHeader);
    state.number(tokens.size());
    for (const std::string &token : tokens) {
      state.text(token);
    }
    state.number(lowercase ? 1 : 0);
    state.number(stripAccents ? 1 : 0);
    state.number(splitChinese ? 1 : 0);
    state.number(mostCharacters);
    state.number(static_cast<std::size_t>(unknown));
    state.numbers(special.prefix);
    state.numbers(special.separator);
    state.numbers(special.suffix);
    return state.end();
  }

  /// A token a line; the line number is the id.
  void readLines(std::string_view text) {
    while (!text.empty()) {
      const std::size_t end = std::min(text.find('\n'), text.size());
      std::string_view line = text.substr(0, end);
      if (!line.empty() && line.back() == '\r') {
        line.remove_suffix(1);
      }
      if (!sdk::isUtf8(line)) {
        throw sdk::Failure("line " + std::to_string(tokens.size() + 1) + " of the vocabulary is not valid UTF-8");
      }
      tokens.emplace_back(line);
      text.remove_prefix(std::min(end + 1, text.size()));
    }
    if (tokens.empty() || tokens.size() > static_cast<std::size_t>(sdk::TokenizerJson::mostTokens)) {
      throw sdk::Failure(tokens.empty() ? "the vocabulary has no tokens" : "the vocabulary has too many tokens");
    }
  }

  /// Which tokens of a vocab.txt stand for unknown words and around texts.
  void name(const sdk::Parameters &parameters, const std::string &unknownToken, const std::string &begin, const std::string &end) {
    unknown = idOf(unknownToken, "` for unknown words");
    if (parameters.flag("special")) {
      const char *const rule = "`, which `special: true` puts around each text; give `special: false` for a model that wants none";
      special.prefix = {idOf(begin, rule)};
      special.separator = special.suffix = {idOf(end, rule)};
    }
  }

  static WordPieceModel fromFolder(const sdk::TokenizerFolder &folder, std::string_view lines, const sdk::Parameters &parameters) {
    WordPieceModel model;
    model.readLines(lines);
    folder.refuseAdded(
        [&](const std::string &token) { return std::find(model.tokens.begin(), model.tokens.end(), token) != model.tokens.end(); });
    const sdk::Settled settled(parameters, folder);
    model.settleText(folder, settled, parameters, {}, {}, {});
    model.mostCharacters = static_cast<std::size_t>(settled.integer("max_word_characters", std::nullopt, "", 100));
    model.name(parameters, settled.text("unknown", folder.token("unk_token"), "the folder says `unk_token`", "[UNK]"),
               folder.token("cls_token").value_or("[CLS]"), folder.token("sep_token").value_or("[SEP]"));
    return model;
  }

  static WordPieceModel fromJson(const sdk::TokenizerFolder &folder, std::string_view bytes, const sdk::Parameters &parameters) {
    const sdk::TokenizerJson json(folder.main(), bytes, "WordPiece");
    WordPieceModel model;
    model.tokens = json.tokens();
    const auto normalizer = json.part("normalizer"), cut = json.part("pre_tokenizer");
    if (json.textOf(normalizer, "type") != "BertNormalizer") {
      throw json.fail("its normalizer is `" + json.textOf(normalizer, "type") + "`; only `BertNormalizer` is supported");
    }
    if (json.textOf(cut, "type") != "BertPreTokenizer") {
      throw json.fail("its pre-tokenizer is `" + json.textOf(cut, "type") + "`; only `BertPreTokenizer` is supported");
    }
    json.require(normalizer, "normalizer", "clean_text", true);
    const sdk::Settled settled(parameters, folder);
    const auto optional = [&](const char *name) {
      return normalizer.contains(name) && !normalizer[name].is_null() ? std::optional(json.flagOf(normalizer, name, true)) : std::nullopt;
    };
    model.settleText(folder, settled, parameters, optional("lowercase").value_or(true), optional("strip_accents"),
                     optional("handle_chinese_chars").value_or(true));
    json.require(json.model(), "model", "continuing_subword_prefix", "##");
    const auto &most = json.model().contains("max_input_chars_per_word") ? json.model()["max_input_chars_per_word"] : nlohmann::json(100);
    if (!most.is_number_integer() || most.get<std::int64_t>() < 1 || most.get<std::int64_t>() > std::int64_t{mostWordCharacters}) {
      throw json.fail("its `model.max_input_chars_per_word` is no number from 1 to 1000");
    }
    model.mostCharacters = static_cast<std::size_t>(
        settled.integer("max_word_characters", most.get<std::int64_t>(), "`tokenizer.json` says `max_input_chars_per_word`", 100));
    const std::string unknown =
        settled.text("unknown", json.textOf(json.model(), "unk_token"), "`tokenizer.json` says `unk_token`", "[UNK]");
    model.unknown = json.idOf(unknown);
    if (model.unknown < 0) {
      throw json.fail("its vocabulary has no token `" + unknown + "` for unknown words");
    }
    if (parameters.flag("special")) {
      model.special = json.special();
    }
    return model;
  }

  /// What becomes of capitals, accents and Chinese characters. The last three: what tokenizer.json says, if there is one.
  void settleText(const sdk::TokenizerFolder &folder, const sdk::Settled &settled, const sdk::Parameters &parameters,
                  std::optional<bool> lower, std::optional<bool> strip, std::optional<bool> chinese) {
    std::string says;
    const std::optional<bool> lowerThere = sdk::settingOf(parameters, folder, lower, "lowercase", "do_lower_case", says);
    lowercase = settled.flag("lowercase", lowerThere, says, true);
    const std::optional<bool> stripThere = sdk::settingOf(parameters, folder, strip, "strip_accents", "strip_accents", says);
    stripAccents = settled.flag("strip_accents", stripThere, says, lowercase); // where nobody says it, accents go with capitals
    const std::optional<bool> chineseThere =
        sdk::settingOf(parameters, folder, chinese, "handle_chinese_chars", "tokenize_chinese_chars", says);
    splitChinese = settled.flag("split_chinese", chineseThere, says, true);
  }

  /// Of equal tokens the last one counts.
  std::int32_t idOf(std::string_view token, const char *rule) const {
    const auto found = std::find(tokens.rbegin(), tokens.rend(), token);
    if (found == tokens.rend()) {
      throw sdk::Failure("the vocabulary has no token `" + std::string(token) + rule);
    }
    return static_cast<std::int32_t>(tokens.rend() - found - 1);
  }
};

} // namespace penstock

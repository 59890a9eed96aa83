// logits = linear(x); the answer is softmax(logits) of every row, the loss the mean over the tagged words of
// cross_entropy(logits, target), as PyTorch's CrossEntropyLoss(ignore_index). The same as
//
//     logits = x |> linear(count(target))
//     answer: softmax(logits)
//     loss:   cross_entropy(logits, target)
//
// With `crf` the logits of a record's words are the emissions of a linear-chain conditional random field (arXiv 1508.01991), whose
// transitions begin as pytorch-crf's; the loss is -log p of the tags over the number of tagged words, the answer the most likely
// chain of tags, at each tag its probability.
#include <penstock/sdk/head.h>
#include <penstock/sdk/table_text.h>

#include <algorithm>

namespace {

using namespace penstock;

/// Chunks of words that one entity is made of.
struct Chunk {
  std::string_view type;
  std::size_t begin = 0, end = 0;
};

/// Of tags in IOB2; an I- that goes on with nothing begins a chunk, as conlleval reads it.
std::vector<Chunk> chunksOf(const std::vector<std::string_view> &tags) {
  std::vector<Chunk> chunks;
  bool open = false;
  for (std::size_t i = 0; i < tags.size(); ++i) {
    const std::string_view tag = tags[i];
    if (tag.size() < 3) {
      open = false;
      continue;
    }
    if (open && tag[0] == 'I' && chunks.back().type == tag.substr(2)) {
      chunks.back().end = i + 1;
    } else {
      chunks.push_back({tag.substr(2), i, i + 1});
    }
    open = true;
  }
  return chunks;
}

struct Tag {
  static sdk::HeadGraph build(const sdk::Parameters &parameters, sdk::Graph &graph, sdk::Node input, sdk::Node target,
                              std::int64_t classes) {
    graph.needSequence(input, "tag");
    if (classes < 1) {
      throw sdk::Failure("`tag` needs a target of type tags; for one class a record use `classify`");
    }
    const sdk::Node logits = graph.linear(input, classes, parameters.flag("bias"), "tag");
    sdk::HeadGraph made;
    if (parameters.flag("crf")) {
      const sdk::Node transitions = graph.parameter("transitions", {(classes + 2) * classes}, sdk::Initializer::uniform, 0.1, false);
      made.answer = graph.op("crf_decode", {logits, transitions});
      if (target) {
        made.loss = graph.op("crf_loss", {logits, target, transitions});
      }
      return made;
    }
    made.answer = graph.op("softmax", {logits});
    if (target) {
      made.loss = graph.op("cross_entropy", {logits, target});
    }
    return made;
  }

  /// A word that the model did not see (it lies behind `max_length`) has the tag null.
  static void decodeTags(const sdk::Parameters &, std::span<const std::string> tags, std::span<const sdk::TaggedWord> words,
                         sdk::JsonWriter &json) {
    std::vector<std::string_view> chosen(words.size());
    std::vector<float> scores(words.size());
    json.beginObject().key("tags").beginArray();
    for (std::size_t i = 0; i < words.size(); ++i) {
      const std::span<const float> row = words[i].row;
      if (row.empty()) {
        json.null();
        continue;
      }
      if (row.size() != tags.size()) {
        throw sdk::Failure("the answer has " + std::to_string(row.size()) + " numbers for " + std::to_string(tags.size()) + " tags");
      }
      const auto best = static_cast<std::size_t>(std::max_element(row.begin(), row.end()) - row.begin());
      chosen[i] = tags[best];
      scores[i] = row[best];
      json.value(chosen[i]);
    }
    json.endArray();
    if (std::all_of(tags.begin(), tags.end(), isIob)) {
      json.key("entities").beginArray();
      for (const Chunk &chunk : chunksOf(chosen)) {
        writeChunk(chunk, words, scores, json);
      }
      json.endArray();
    }
    json.endObject();
  }

private:
  static bool isIob(const std::string &tag) { return tag == "O" || (tag.size() > 2 && tag[1] == '-' && (tag[0] == 'B' || tag[0] == 'I')); }

  /// `start` and `end` are words, `bytes` and `characters` places in the record's text, all half open;
  /// `confidence` is that of the least certain of its tags.
  static void writeChunk(const Chunk &chunk, std::span<const sdk::TaggedWord> words, const std::vector<float> &scores,
                         sdk::JsonWriter &json) {
    const auto begin = static_cast<std::ptrdiff_t>(chunk.begin), end = static_cast<std::ptrdiff_t>(chunk.end);
    const sdk::TaggedWord &first = words[chunk.begin], &last = words[chunk.end - 1];
    json.beginObject().key("type").value(chunk.type);
    json.key("start").value(static_cast<std::int64_t>(begin)).key("end").value(static_cast<std::int64_t>(end));
    if (first.start >= 0) {
      const std::int64_t stop = last.start + static_cast<std::int64_t>(last.text.size());
      const std::string_view text = first.record;
      const std::string_view span = text.substr(static_cast<std::size_t>(first.start), static_cast<std::size_t>(stop - first.start));
      const auto before = static_cast<std::int64_t>(sdk::characters(text.substr(0, static_cast<std::size_t>(first.start))));
      json.key("text").value(span);
      json.key("bytes").beginArray().value(first.start).value(stop).endArray();
      json.key("characters").beginArray().value(before).value(before + static_cast<std::int64_t>(sdk::characters(span))).endArray();
    } else {
      std::string joined;
      for (std::size_t i = chunk.begin; i < chunk.end; ++i) {
        joined += (joined.empty() ? "" : " ") + std::string(words[i].text);
      }
      json.key("text").value(std::string_view(joined));
    }
    json.key("confidence").value(*std::min_element(scores.begin() + begin, scores.begin() + end));
    json.endObject();
  }
};

} // namespace

PENSTOCK_HEAD(Tag, "tag", "1.0.0")

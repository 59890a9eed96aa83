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
void findChunks(const std::vector<std::string_view> &tags, std::vector<Chunk> &chunks) {
  chunks.clear();
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
}

class Tag {
public:
  Tag(const sdk::Parameters &given, sdk::Target predicted)
      : target(std::move(predicted)), crf(given.flag("crf")), bias(given.flag("bias")),
        chunked(std::all_of(target.names.begin(), target.names.end(), isIob)) {
    if (target.classes < 1) {
      throw sdk::Failure("`tag` needs a target of type tags; for one class a record use `classify`");
    }
  }

  /// Tags that are no chunks have no entities. `start` and `end` are words, `bytes` and `characters` places in the record's text where
  /// there is one, all half open; `confidence` is that of the least certain of its tags.
  std::vector<sdk::Field> describe() const {
    std::vector<sdk::Field> fields = {sdk::Field::ofClass("tags", target.names).list().means("tags")};
    if (chunked) {
      fields.push_back(
          sdk::Field::structs("entities", {sdk::Field::text("type"), sdk::Field::i64("start"), sdk::Field::i64("end"),
                                           sdk::Field::text("text").means("text"), sdk::Field::i64("bytes").wide(2),
                                           sdk::Field::i64("characters").wide(2), sdk::Field::f32("confidence").means("score")})
              .list()
              .means("spans"));
    }
    return fields;
  }

  sdk::HeadGraph build(sdk::Graph &graph, sdk::Node input, sdk::Node wanted) const {
    graph.needSequence(input, "tag");
    const std::int64_t tags = target.classes;
    const sdk::Node logits = graph.linear(input, tags, bias, "tag");
    sdk::HeadGraph made;
    if (crf) {
      const sdk::Node transitions = graph.parameter("transitions", {(tags + 2) * tags}, sdk::Initializer::uniform, 0.1, false);
      made.answer = graph.op("crf_decode", {logits, transitions});
      if (wanted) {
        made.loss = graph.op("crf_loss", {logits, wanted, transitions});
      }
      return made;
    }
    made.answer = graph.op("softmax", {logits});
    if (wanted) {
      made.loss = graph.op("cross_entropy", {logits, wanted});
    }
    return made;
  }

  struct Scratch {
    std::vector<std::string_view> chosen; // tags of words
    std::vector<float> scores;
    std::vector<Chunk> chunks;
    std::string joined;
  };

  /// A word that the model did not see (it lies behind `max_length`) has no tag.
  void decode(std::span<const sdk::TaggedWord> words, sdk::ColumnWriter &out, Scratch &scratch) const {
    auto &[chosen, scores, chunks, joined] = scratch;
    chosen.assign(words.size(), {});
    scores.assign(words.size(), 0);
    for (std::size_t i = 0; i < words.size(); ++i) {
      const std::span<const float> row = words[i].row;
      if (row.empty()) {
        out[0].add(-1);
        continue;
      }
      if (row.size() != target.names.size()) {
        throw sdk::Failure("the answer has " + std::to_string(row.size()) + " numbers for " + std::to_string(target.classes) + " tags");
      }
      const auto best = static_cast<std::size_t>(std::max_element(row.begin(), row.end()) - row.begin());
      chosen[i] = target.names[best];
      scores[i] = row[best];
      out[0].add(best);
    }
    if (chunked && out.wants(1)) {
      findChunks(chosen, chunks);
      for (const Chunk &chunk : chunks) {
        put(chunk, words, scratch, out[1]);
      }
    }
  }

private:
  static bool isIob(const std::string &tag) { return tag == "O" || (tag.size() > 2 && tag[1] == '-' && (tag[0] == 'B' || tag[0] == 'I')); }

  static void put(const Chunk &chunk, std::span<const sdk::TaggedWord> words, Scratch &scratch, sdk::Column &entities) {
    const auto begin = static_cast<std::ptrdiff_t>(chunk.begin), end = static_cast<std::ptrdiff_t>(chunk.end);
    const sdk::TaggedWord &first = words[chunk.begin], &last = words[chunk.end - 1];
    entities[0].add(chunk.type);
    entities[1].add(begin);
    entities[2].add(end);
    if (first.start >= 0) {
      const std::int64_t stop = last.start + static_cast<std::int64_t>(last.text.size());
      const std::string_view text = first.record;
      const std::string_view span = text.substr(static_cast<std::size_t>(first.start), static_cast<std::size_t>(stop - first.start));
      const std::size_t before = sdk::characters(text.substr(0, static_cast<std::size_t>(first.start)));
      entities[3].add(span);
      entities[4].add(first.start);
      entities[4].add(stop);
      entities[5].add(before);
      entities[5].add(before + sdk::characters(span));
    } else {
      scratch.joined.clear();
      for (std::size_t i = chunk.begin; i < chunk.end; ++i) {
        scratch.joined += i == chunk.begin ? "" : " ";
        scratch.joined += words[i].text;
      }
      entities[3].add(scratch.joined);
    }
    entities[6].add(*std::min_element(scratch.scores.begin() + begin, scratch.scores.begin() + end));
    entities.endStruct();
  }

  sdk::Target target;
  bool crf, bias, chunked;
};

} // namespace

PENSTOCK_HEAD(Tag, "tag", "1.1.0")

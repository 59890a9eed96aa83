// Series in the form of the UEA and UCR archives (.ts): lines of `@name value`, then `@data`, then a case a line. Its dimensions stand
// between `:`, the values of one between `,`, `?` is a missing one, and the class comes last. Cases may have unequal lengths.
//
// A row is a step: `case` (from 1), `step` (from 0), a column a dimension, and `class`, or `target` where the cases have a number in place
// of a class. So rows become records again by `series(by: case, order: step, ...)`.
#include <penstock/sdk/source.h>

#include <algorithm>
#include <charconv>

namespace {

using namespace penstock;

constexpr std::string_view blanks = " \t";

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = std::min(text.find_first_not_of(blanks), text.size());
  return text.substr(begin, text.find_last_not_of(blanks) + 1 - begin);
}

/// The part before the first `sign`, which is taken off with it.
std::string_view partOf(std::string_view &text, char sign) {
  const std::size_t end = std::min(text.find(sign), text.size());
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return trimmed(part);
}

std::string quoted(std::string_view text) {
  std::size_t end = std::min<std::size_t>(text.size(), 40);
  while (end > 0 && end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) {
    --end;
  }
  return "`" + std::string(text.substr(0, end)) + (end < text.size() ? "...`" : "`");
}

class Ts {
public:
  explicit Ts(const sdk::Parameters &) {}

  class Reader {
  public:
    Reader(const Ts &, sdk::SourceBytes &bytes) : lines(bytes) {}

    std::vector<sdk::Field> columns() {
      readHead();
      std::vector<sdk::Field> fields = {sdk::Field::i64("case"), sdk::Field::i64("step")};
      for (std::size_t d = 0; d < dimensions; ++d) {
        fields.push_back(sdk::Field::text("dim_" + std::to_string(d)));
      }
      if (labelled) {
        fields.push_back(sdk::Field::text(isNumber ? "target" : "class"));
      }
      return fields;
    }

    bool next(sdk::RowWriter &out) {
      if (!hasLine && !nextCase()) {
        return false;
      }
      hasLine = false;
      ++cases;
      const std::string_view label = readCase();
      for (std::size_t step = 0; step < steps; ++step) {
        out[0].add(cases);
        out[1].add(static_cast<std::int64_t>(step));
        for (std::size_t d = 0; d < dimensions; ++d) {
          if (const std::string_view value = values[d * steps + step]; value != "?") {
            out[2 + d].add(value);
          }
        }
        if (labelled && label != "?") {
          out[2 + dimensions].add(label);
        }
        out.endRow(lines.number());
      }
      return true;
    }

  private:
    [[noreturn]] void fail(const std::string &sentence) const { throw sdk::RowFailure(lines.number(), 0, sentence); }

    /// The next line that is neither blank nor a comment.
    bool nextCase() {
      while (lines.next(line)) {
        line = trimmed(line);
        if (!line.empty() && line[0] != '#') {
          return true;
        }
      }
      return false;
    }

    void readHead() {
      bool declared = false, ended = false;
      while (!ended && nextCase()) {
        if (line[0] != '@') {
          fail("there is no `@data` before " + quoted(line) + "; a .ts file begins with lines of `@name value` and `@data`");
        }
        std::string_view rest = line.substr(1);
        std::string key(partOf(rest, ' '));
        std::transform(key.begin(), key.end(), key.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
        rest = trimmed(rest);
        ended = key == "data";
        if (key == "timestamps" && isTrue(key, rest)) {
          fail("`@timeStamps true` is not read: cases are values alone, at equal distances");
        } else if (key == "dimensions" || key == "dimension") {
          declared = true;
          const auto read = std::from_chars(rest.data(), rest.data() + rest.size(), dimensions);
          if (read.ec != std::errc() || read.ptr != rest.data() + rest.size() || dimensions < 1 || dimensions > most) {
            fail("`@dimensions` is a number from 1 to " + std::to_string(most) + ", not " + quoted(rest));
          }
        } else if (key == "univariate" && isTrue(key, rest)) {
          declared = true;
          dimensions = 1;
        } else if (key == "classlabel" || key == "targetlabel") {
          isNumber = key[0] == 't';
          labelled = isTrue(key, partOf(rest, ' '));
          for (rest = trimmed(rest); labelled && !isNumber && !rest.empty(); rest = trimmed(rest)) {
            classes.emplace_back(partOf(rest, ' '));
          }
        }
      }
      if (!ended) {
        throw sdk::RowFailure(lines.number() + 1, 0, "the file ends without `@data`");
      }
      hasLine = nextCase();
      if (!declared && hasLine) {
        const auto parts = static_cast<std::size_t>(std::count(line.begin(), line.end(), ':')) + 1;
        dimensions = std::clamp<std::size_t>(parts - (labelled ? 1 : 0), 1, most);
      }
    }

    bool isTrue(const std::string &key, std::string_view value) const {
      if (value != "true" && value != "false") {
        fail("`@" + key + "` is `true` or `false`, not " + quoted(value));
      }
      return value == "true";
    }

    /// Splits the line into `values`, `steps` of each dimension; gives its class.
    std::string_view readCase() {
      const std::size_t wanted = dimensions + (labelled ? 1 : 0),
                        found = static_cast<std::size_t>(std::count(line.begin(), line.end(), ':')) + 1;
      if (found != wanted) {
        fail("the case has " + std::to_string(found) + " parts between `:`, and the head says " + std::to_string(dimensions) +
             (dimensions == 1 ? " dimension" : " dimensions") + (labelled ? " and a class" : ""));
      }
      values.clear();
      std::string_view rest = line;
      for (std::size_t d = 0; d < dimensions; ++d) {
        std::string_view part = partOf(rest, ':');
        const auto length = part.empty() ? 0 : static_cast<std::size_t>(std::count(part.begin(), part.end(), ',')) + 1;
        steps = d == 0 ? length : steps;
        if (length != steps || length == 0) {
          fail(length == 0 ? "dimension " + std::to_string(d) + " has no values"
                           : "dimension " + std::to_string(d) + " has " + std::to_string(length) + " values where dimension 0 has " +
                                 std::to_string(steps));
        }
        for (std::size_t i = 0; i < length; ++i) {
          values.push_back(partOf(part, ','));
          if (values.back().empty()) {
            fail("dimension " + std::to_string(d) + " has no value at step " + std::to_string(i) + "; `?` is one that is missing");
          }
        }
      }
      const std::string_view label = trimmed(rest);
      if (labelled && label.empty()) {
        fail("the case has no class behind its last `:`");
      }
      if (!classes.empty() && label != "?" && std::find(classes.begin(), classes.end(), label) == classes.end()) {
        fail("the class " + quoted(label) + " is none of those that `@classLabel` lists");
      }
      return label;
    }

    static constexpr std::size_t most = 60000; // columns of a source

    sdk::LineReader lines;
    std::string_view line;
    bool hasLine = false, labelled = false, isNumber = false;
    std::size_t dimensions = 1, steps = 0;
    std::int64_t cases = 0;
    std::vector<std::string> classes;
    std::vector<std::string_view> values;
  };
};

} // namespace

PENSTOCK_SOURCE(Ts, "ts", "1.0.0")

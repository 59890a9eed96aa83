// A source: a row a line, its cells between a separator; the first line has the names. Replace how a line is read.
#include <penstock/sdk/source.h>

#include <algorithm>

namespace {

using namespace penstock;

class Separated {
public:
  explicit Separated(const sdk::Parameters &parameters) : separator(parameters.text("separator")) {
    if (separator.empty()) {
      throw sdk::Failure("`separator` is empty; give the sign between two cells");
    }
  }

  // Reads one file, by one thread at a time. The host opens it, and brings its bytes.
  class Reader {
  public:
    Reader(const Separated &source, sdk::SourceBytes &bytes) : separator(source.separator), lines(bytes) {}

    // The columns, of the head of the file. Cells are texts: what they are read as is said in the .pipe file.
    std::vector<sdk::Field> columns() {
      std::vector<sdk::Field> fields;
      if (lines.next(line)) {
        for (const std::string_view name : cells()) {
          const bool known = std::any_of(fields.begin(), fields.end(), [&](const sdk::Field &field) { return field.name == name; });
          if (name.empty() || known) {
            throw sdk::RowFailure(lines.number(), 0, "a name is empty, or there twice");
          }
          fields.push_back(sdk::Field::text(name));
        }
        width = fields.size();
      }
      return fields;
    }

    // The next row; false at the end. A mistake costs its row alone.
    bool next(sdk::RowWriter &out) {
      if (!lines.next(line)) {
        return false;
      }
      const std::vector<std::string_view> found = cells();
      if (found.size() != width) {
        throw sdk::RowFailure(lines.number(), 0,
                              "the line has " + std::to_string(found.size()) + " cells where the first has " + std::to_string(width));
      }
      for (std::size_t i = 0; i < width; ++i) {
        if (!found[i].empty()) { // else it is missing
          out[i].add(found[i]);
        }
      }
      out.endRow(lines.number());
      return true;
    }

  private:
    std::vector<std::string_view> cells() const {
      std::vector<std::string_view> parts;
      std::size_t begin = 0;
      for (std::size_t end = line.find(separator); end != std::string_view::npos; end = line.find(separator, begin)) {
        parts.push_back(line.substr(begin, end - begin));
        begin = end + separator.size();
      }
      parts.push_back(line.substr(begin));
      return parts;
    }

    const std::string &separator;
    sdk::LineReader lines;
    std::string_view line;
    std::size_t width = 0;
  };

private:
  std::string separator;
};

} // namespace

PENSTOCK_SOURCE(Separated, "@NAME@", "1.0.0")

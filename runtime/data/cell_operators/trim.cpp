// No blanks at the ends.
#include "runtime/data/cell_operators/cell_operator.h"
#include "runtime/text/clean.h"

namespace penstock::cell_operators::trim {

namespace {

class Trim final : public CellChange {
public:
  std::string_view changed(std::string_view text) override {
    return cleanText(text, {.unicode = CleanOptions::Unicode::none, .strip = true}, scratch);
  }

private:
  CleanScratch scratch;
};

} // namespace

extern const CellFunctions functions = {
    .make = [](const NamedValues &) -> std::unique_ptr<CellChange> { return std::make_unique<Trim>(); }};

} // namespace penstock::cell_operators::trim

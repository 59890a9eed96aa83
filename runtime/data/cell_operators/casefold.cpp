// One form for letters that differ in case alone.
#include "runtime/data/cell_operators/cell_operator.h"
#include "runtime/text/clean.h"

namespace penstock::cell_operators::casefold {

namespace {

class Casefold final : public CellChange {
public:
  std::string_view changed(std::string_view text) override { return foldCase(text, scratch); }

private:
  CleanScratch scratch;
};

} // namespace

extern const CellFunctions functions = {
    .make = [](const NamedValues &) -> std::unique_ptr<CellChange> { return std::make_unique<Casefold>(); }};

} // namespace penstock::cell_operators::casefold

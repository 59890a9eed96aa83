// Other cells for some.
#include "runtime/data/cell_operators/cell_operator.h"

namespace penstock::cell_operators::map {

namespace {

struct Hash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};

class Map final : public CellChange {
public:
  /// `pairs`: an old text, then its new one, and so on.
  explicit Map(std::span<const std::string> pairs) {
    for (std::size_t i = 0; i + 1 < pairs.size(); i += 2) {
      newOf.emplace(pairs[i], pairs[i + 1]);
    }
  }
  std::string_view changed(std::string_view text) override {
    const auto found = newOf.find(text);
    return found == newOf.end() ? text : std::string_view(found->second);
  }

private:
  std::unordered_map<std::string, std::string, Hash, std::equal_to<>> newOf;
};

} // namespace

extern const CellFunctions functions = {.make = [](const NamedValues &parameters) -> std::unique_ptr<CellChange> {
  return std::make_unique<Map>(itemsOr<std::string>(parameters, "pairs", {}));
}};

} // namespace penstock::cell_operators::map

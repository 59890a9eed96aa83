// Writes the pages of docs/generated that are made from definitions, or says which of them are stale.
#include "compiler/diagnostics/registry.h"
#include "compiler/frontend/signatures.h"
#include "tools/penstock-docs/answers_page.h"
#include "tools/penstock-docs/kernels_page.h"
#include "tools/penstock-docs/plugins_page.h"

#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace {

struct Page {
  std::string name, text;
};

std::vector<Page> pages(const std::string &folder) {
  return {{"answers.md", penstock::answersPage()},
          {"diagnostics.md", penstock::diagnostics::diagnosticsPage()},
          {"kernels.md", penstock::kernelsPage()},
          {"operations.md", penstock::frontend::operationsPage()},
          {"plugins.md", penstock::pluginsPage(folder + "/../../plugins")}};
}

} // namespace

int main(int argc, char **argv) {
  const bool check = argc == 3 && std::string(argv[1]) == "--check";
  if (argc != 2 && !check) {
    std::fprintf(stderr, "usage: penstock-docs [--check] FOLDER\n");
    return 2;
  }
  const std::string folder = argv[argc - 1];
  int stale = 0;
  for (const Page &page : pages(folder)) {
    if (page.text.empty()) { // its maker has said why
      return 1;
    }
    const std::string path = folder + "/" + page.name;
    std::ifstream in(path, std::ios::binary);
    std::ostringstream held;
    held << in.rdbuf();
    if (in && held.str() == page.text) {
      continue;
    }
    if (check) {
      std::fprintf(stderr, "%s is stale: run `penstock-docs %s`\n", path.c_str(), folder.c_str());
      ++stale;
      continue;
    }
    std::ofstream out(path, std::ios::binary | std::ios::trunc);
    out << page.text;
    out.flush();
    if (!out) {
      std::fprintf(stderr, "%s cannot be written\n", path.c_str());
      return 4;
    }
    std::printf("%s\n", path.c_str());
  }
  return stale == 0 ? 0 : 1;
}

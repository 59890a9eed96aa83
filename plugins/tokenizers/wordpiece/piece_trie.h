// Greedy longest-match pieces of a word in linear time: a trie of bytes with failure links (LinMaxMatch: Song, Salcianu, Song,
// Dopson, Zhou, "Fast WordPiece Tokenization", EMNLP 2021), kept as a double array (Aoe 1989).
#pragma once

#include <penstock/sdk/common.h>

#include <algorithm>
#include <map>
#include <utility>

namespace penstock {

/// A piece and the bytes of the word that it covers.
struct Piece {
  std::int32_t id;
  std::uint32_t size;
};

class PieceTrie {
public:
  using State = std::int32_t;
  static constexpr State root = 0;
  static constexpr std::string_view continuation = "##";
  static constexpr std::size_t mostPops = std::size_t{1} << 26;

  /// `tokens[id]`; of equal tokens the last one counts.
  explicit PieceTrie(const std::vector<std::string_view> &tokens) {
    std::vector<Node> nodes(1);
    const std::int32_t inside = insert(nodes, continuation);
    for (std::size_t id = 0; id < tokens.size(); ++id) {
      if (!tokens[id].empty()) {
        nodes[static_cast<std::size_t>(insert(nodes, tokens[id]))].token = static_cast<std::int32_t>(id);
      }
    }
    link(nodes, inside);
    place(nodes, inside);
  }

  /// One more byte of the word from `state`. Pieces that can be told now are given to `piece`; false where no pieces make up
  /// the word.
  template <typename Give> bool step(State &state, unsigned char byte, Give &&piece) const {
    while (true) {
      const Unit &unit = units[static_cast<std::size_t>(units[static_cast<std::size_t>(state)].base) + byte];
      if (unit.check == state) {
        state = static_cast<State>(&unit - units.data());
        return true;
      }
      if (!fail(state, piece)) {
        return false;
      }
    }
  }

  /// The end of the word.
  template <typename Give> bool finish(State state, Give &&piece) const {
    while (state != inside) {
      if (!fail(state, piece)) {
        return false;
      }
    }
    return true;
  }

private:
  struct Node {
    std::map<unsigned char, std::int32_t> children;
    std::int32_t parent = -1;
    std::int32_t depth = 0; // bytes of the word
    unsigned char byte = 0;
    std::int32_t token = -1;
    std::int32_t fail = -1;
    std::vector<Piece> pops;
  };
  struct Unit {
    std::int32_t base = 0;
    State check = -1;
  };
  struct Link {
    State fail = -1;
    std::uint32_t begin = 0, end = 0; // of pops
  };

  template <typename Give> bool fail(State &state, Give &&piece) const {
    const Link &failure = links[static_cast<std::size_t>(state)];
    if (failure.fail < 0) {
      return false;
    }
    for (std::uint32_t i = failure.begin; i < failure.end; ++i) {
      piece(pops[i]);
    }
    state = failure.fail;
    return true;
  }

  static std::int32_t insert(std::vector<Node> &nodes, std::string_view text) {
    std::int32_t at = 0;
    for (const char c : text) {
      const auto byte = static_cast<unsigned char>(c);
      const auto found = nodes[static_cast<std::size_t>(at)].children.find(byte);
      if (found != nodes[static_cast<std::size_t>(at)].children.end()) {
        at = found->second;
        continue;
      }
      if (nodes.size() >= (1u << 28)) {
        throw sdk::Failure("the vocabulary is too large");
      }
      const auto made = static_cast<std::int32_t>(nodes.size());
      nodes[static_cast<std::size_t>(at)].children.emplace(byte, made);
      nodes.emplace_back();
      nodes.back().parent = at;
      nodes.back().byte = byte;
      at = made;
    }
    return at;
  }

  /// Failure links and what is popped on the way, by growing depth: both refer to states of smaller depth only.
  static void link(std::vector<Node> &nodes, std::int32_t inside) {
    const auto at = [&](std::int32_t index) -> Node & { return nodes[static_cast<std::size_t>(index)]; };
    std::size_t all = 0;
    std::vector<std::int32_t> order;
    for (std::size_t i = 1; i < nodes.size(); ++i) { // parents come first
      const auto index = static_cast<std::int32_t>(i);
      nodes[i].depth = index == inside ? 0 : at(nodes[i].parent).depth + 1;
      order.push_back(index);
    }
    std::sort(order.begin(), order.end(),
              [&](std::int32_t a, std::int32_t b) { return std::pair(at(a).depth, a) < std::pair(at(b).depth, b); });
    for (const std::int32_t index : order) {
      Node &node = at(index);
      if (index == inside) {
        continue;
      }
      if (node.token >= 0) {
        node.fail = inside;
        node.pops = {{node.token, static_cast<std::uint32_t>(node.depth)}};
        continue;
      }
      std::vector<Piece> popped = at(node.parent).pops;
      std::int32_t state = at(node.parent).fail;
      while (state >= 0) {
        const auto found = at(state).children.find(node.byte);
        if (found != at(state).children.end()) {
          node.fail = found->second;
          node.pops = std::move(popped);
          all += node.pops.size();
          if (all > mostPops) {
            throw sdk::Failure("the vocabulary has too many long tokens of repeated pieces");
          }
          break;
        }
        popped.insert(popped.end(), at(state).pops.begin(), at(state).pops.end());
        state = at(state).fail;
      }
    }
  }

  /// Gives every node a place in the array, so that its child by `byte` lies at base + byte. Nodes of many children choose
  /// first; of equally many, each looks on from where the one before found its place. Nodes of one child fill the holes. The
  /// first 256 places stay free of children, so that any hole suits any byte.
  void place(const std::vector<Node> &nodes, std::int32_t insideNode) {
    std::vector<std::uint32_t> order;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      if (!nodes[i].children.empty()) {
        order.push_back(static_cast<std::uint32_t>(i));
      }
    }
    std::sort(order.begin(), order.end(), [&](std::uint32_t x, std::uint32_t y) {
      return std::pair(nodes[y].children.size(), x) < std::pair(nodes[x].children.size(), y);
    });
    std::vector<std::size_t> bases(nodes.size());
    std::vector<bool> taken(nodes.size() + 1024);
    std::fill(taken.begin(), taken.begin() + 256, true);
    std::size_t children = 0, slot = 256;
    for (const std::uint32_t index : order) {
      const auto &wanted = nodes[index].children;
      if (wanted.size() != children) {
        children = wanted.size();
        slot = 256;
      }
      const std::size_t first = wanted.begin()->first;
      for (;; ++slot) {
        if (slot + 256 > taken.size()) {
          taken.resize(taken.size() * 3 / 2);
        }
        if (!taken[slot] &&
            std::all_of(wanted.begin(), wanted.end(), [&](const auto &child) { return !taken[slot - first + child.first]; })) {
          break;
        }
      }
      bases[index] = slot - first;
      for (const auto &child : wanted) {
        taken[slot - first + child.first] = true;
      }
    }

    units.resize(taken.size() + 256);
    units[root].check = -2; // nobody's child
    std::vector<State> placed(nodes.size(), root);
    for (std::size_t i = 0; i < nodes.size(); ++i) { // parents come first
      units[static_cast<std::size_t>(placed[i])].base = static_cast<std::int32_t>(bases[i]);
      for (const auto &[byte, child] : nodes[i].children) {
        const std::size_t at = bases[i] + byte;
        units[at].check = placed[i];
        placed[static_cast<std::size_t>(child)] = static_cast<State>(at);
      }
    }
    links.resize(units.size());
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      Link &failure = links[static_cast<std::size_t>(placed[i])];
      failure.fail = nodes[i].fail < 0 ? -1 : placed[static_cast<std::size_t>(nodes[i].fail)];
      failure.begin = static_cast<std::uint32_t>(pops.size());
      pops.insert(pops.end(), nodes[i].pops.begin(), nodes[i].pops.end());
      failure.end = static_cast<std::uint32_t>(pops.size());
    }
    inside = placed[static_cast<std::size_t>(insideNode)];
  }

  std::vector<Unit> units;
  std::vector<Link> links;
  std::vector<Piece> pops;
  State inside = 0;
};

} // namespace penstock

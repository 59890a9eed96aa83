// Greedy longest-match pieces of a word in linear time: a trie of bytes with failure links (LinMaxMatch: Song, Salcianu, Song,
// Dopson, Zhou, "Fast WordPiece Tokenization", EMNLP 2021), kept as a double array (Aoe 1989).
#pragma once

#include <penstock/sdk/common.h>

#include <algorithm>
#include <bit>
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
    std::size_t bytes = continuation.size();
    for (const std::string_view token : tokens) {
      bytes += token.size();
    }
    if (bytes >= (std::size_t{1} << 28)) {
      throw sdk::Failure("the vocabulary is too large");
    }
    Nodes nodes(bytes + 1);
    const std::int32_t insideNode = nodes.insert(continuation);
    for (std::size_t id = 0; id < tokens.size(); ++id) {
      if (!tokens[id].empty()) {
        nodes[nodes.insert(tokens[id])].token = static_cast<std::int32_t>(id);
      }
    }
    link(nodes, insideNode);
    place(nodes, insideNode);
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
    std::int32_t parent = -1;
    std::int32_t firstChild = -1, nextSibling = -1;
    std::int32_t children = 0;
    std::int32_t depth = 0; // bytes of the word
    std::int32_t token = -1;
    std::int32_t fail = -1;
    std::uint32_t popsBegin = 0, popsEnd = 0;
    unsigned char byte = 0;
  };

  /// The trie while it is made: parents before their children, node 0 the root. A child is found by hashing its parent and its byte.
  class Nodes {
  public:
    /// Of at most so many nodes.
    explicit Nodes(std::size_t most) : slots(std::bit_ceil(most + most / 2), -1) { all.emplace_back(); }

    std::size_t size() const { return all.size(); }
    Node &operator[](std::int32_t index) { return all[static_cast<std::size_t>(index)]; }
    const Node &operator[](std::int32_t index) const { return all[static_cast<std::size_t>(index)]; }

    /// The child of `parent` by `byte`, or -1.
    std::int32_t child(std::int32_t parent, unsigned char byte) const { return slots[slotOf(parent, byte)]; }

    std::int32_t insert(std::string_view text) {
      std::int32_t at = root;
      for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        std::int32_t &found = slots[slotOf(at, byte)];
        if (found < 0) {
          found = static_cast<std::int32_t>(all.size());
          Node made;
          made.parent = at;
          made.byte = byte;
          made.nextSibling = std::exchange((*this)[at].firstChild, found);
          ++(*this)[at].children;
          all.push_back(made);
        }
        at = found;
      }
      return at;
    }

  private:
    std::size_t slotOf(std::int32_t parent, unsigned char byte) const {
      const std::size_t mask = slots.size() - 1;
      std::size_t slot = ((static_cast<std::uint64_t>(parent) << 8 | byte) * 0x9E3779B97F4A7C15u) >> 32 & mask;
      while (slots[slot] >= 0 && ((*this)[slots[slot]].parent != parent || (*this)[slots[slot]].byte != byte)) {
        slot = (slot + 1) & mask;
      }
      return slot;
    }

    std::vector<Node> all;
    std::vector<std::int32_t> slots; // open addressing; -1 is free
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

  /// The nodes 0 to count - 1 by growing `key`, which is below `keys`; equal ones in their order.
  template <typename Key> static std::vector<std::int32_t> sortedBy(std::size_t count, std::size_t keys, Key &&key) {
    std::vector<std::size_t> begins(keys + 1);
    for (std::size_t i = 0; i < count; ++i) {
      ++begins[key(static_cast<std::int32_t>(i)) + 1];
    }
    for (std::size_t k = 1; k <= keys; ++k) {
      begins[k] += begins[k - 1];
    }
    std::vector<std::int32_t> sorted(count);
    for (std::size_t i = 0; i < count; ++i) {
      sorted[begins[key(static_cast<std::int32_t>(i))]++] = static_cast<std::int32_t>(i);
    }
    return sorted;
  }

  /// Failure links and what is popped on the way, by growing depth: both refer to states of smaller depth only.
  void link(Nodes &nodes, std::int32_t insideNode) {
    std::int32_t deepest = 0;
    for (std::int32_t i = 1; i < static_cast<std::int32_t>(nodes.size()); ++i) { // parents come first
      nodes[i].depth = i == insideNode ? 0 : nodes[nodes[i].parent].depth + 1;
      deepest = std::max(deepest, nodes[i].depth);
    }
    const std::vector<std::int32_t> order = sortedBy(nodes.size(), static_cast<std::size_t>(deepest) + 1,
                                                     [&](std::int32_t i) { return static_cast<std::size_t>(nodes[i].depth); });
    for (const std::int32_t index : order) {
      Node &node = nodes[index];
      if (index == root || index == insideNode) {
        continue;
      }
      node.popsBegin = node.popsEnd = static_cast<std::uint32_t>(pops.size());
      if (node.token >= 0) {
        node.fail = insideNode;
        pops.push_back({node.token, static_cast<std::uint32_t>(node.depth)});
      } else {
        const auto pop = [&](const Node &from) {
          for (std::uint32_t i = from.popsBegin; i < from.popsEnd; ++i) {
            pops.push_back(Piece(pops[i]));
          }
        };
        pop(nodes[node.parent]);
        std::int32_t state = nodes[node.parent].fail;
        while (state >= 0 && node.fail < 0) {
          node.fail = nodes.child(state, node.byte);
          if (node.fail < 0) {
            pop(nodes[state]);
            state = nodes[state].fail;
          }
        }
        if (node.fail < 0) {
          pops.resize(node.popsBegin); // nothing follows from here
        }
      }
      node.popsEnd = static_cast<std::uint32_t>(pops.size());
      if (pops.size() > mostPops) {
        throw sdk::Failure("the vocabulary has too many long tokens of repeated pieces");
      }
    }
  }

  /// Gives every node a place in the array, so that its child by `byte` lies at base + byte. Nodes of many children choose
  /// first; of equally many, each looks on from where the one before found its place. Nodes of one child fill the holes. The
  /// first 256 places stay free of children, so that any hole suits any byte.
  void place(const Nodes &nodes, std::int32_t insideNode) {
    std::vector<std::size_t> bases(nodes.size());
    std::vector<unsigned char> taken(nodes.size() + 1024);
    std::fill(taken.begin(), taken.begin() + 256, 1);
    std::int32_t children = 0;
    std::size_t slot = 256;
    std::vector<std::size_t> wanted; // distances of the children from the first one
    for (const std::int32_t index :
         sortedBy(nodes.size(), 257, [&](std::int32_t i) { return static_cast<std::size_t>(256 - nodes[i].children); })) {
      const Node &node = nodes[index];
      if (node.children == 0) {
        break;
      }
      if (node.children != children) {
        children = node.children;
        slot = 256;
      }
      wanted.clear();
      std::size_t first = 256;
      for (std::int32_t child = node.firstChild; child >= 0; child = nodes[child].nextSibling) {
        wanted.push_back(nodes[child].byte);
        first = std::min<std::size_t>(first, nodes[child].byte);
      }
      for (std::size_t &byte : wanted) {
        byte -= first;
      }
      for (;; ++slot) {
        if (slot + 256 > taken.size()) {
          taken.resize(taken.size() * 3 / 2);
        }
        if (!taken[slot] && std::all_of(wanted.begin(), wanted.end(), [&](std::size_t distance) { return !taken[slot + distance]; })) {
          break;
        }
      }
      bases[static_cast<std::size_t>(index)] = slot - first;
      for (const std::size_t distance : wanted) {
        taken[slot + distance] = 1;
      }
    }

    units.resize(taken.size() + 256);
    units[root].check = -2; // nobody's child
    links.resize(units.size());
    std::vector<State> placed(nodes.size(), root);
    for (std::size_t i = 0; i < nodes.size(); ++i) { // parents come first
      units[static_cast<std::size_t>(placed[i])].base = static_cast<std::int32_t>(bases[i]);
      for (std::int32_t child = nodes[static_cast<std::int32_t>(i)].firstChild; child >= 0; child = nodes[child].nextSibling) {
        const std::size_t at = bases[i] + nodes[child].byte;
        units[at].check = placed[i];
        placed[static_cast<std::size_t>(child)] = static_cast<State>(at);
      }
    }
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      const Node &node = nodes[static_cast<std::int32_t>(i)];
      links[static_cast<std::size_t>(placed[i])] = {node.fail < 0 ? -1 : placed[static_cast<std::size_t>(node.fail)], node.popsBegin,
                                                    node.popsEnd};
    }
    inside = placed[static_cast<std::size_t>(insideNode)];
  }

  std::vector<Unit> units;
  std::vector<Link> links;
  std::vector<Piece> pops;
  State inside = 0;
};

} // namespace penstock

#include "runtime/text/words.h"

#include <gtest/gtest.h>

#include <string>

namespace penstock {
namespace {

std::string split(std::string_view text) {
  std::vector<std::string_view> words;
  splitWords(text, words);
  std::string joined;
  for (const std::string_view word : words) {
    EXPECT_GE(word.data(), text.data());
    EXPECT_LE(word.data() + word.size(), text.data() + text.size());
    joined += (joined.empty() ? "" : " ") + std::string(word);
  }
  return joined;
}

TEST(Words, SetPunctuationApart) {
  EXPECT_EQ(split("Angela Merkel visited Paris, and Siemens (Munich) opened a plant."),
            "Angela Merkel visited Paris , and Siemens ( Munich ) opened a plant .");
  EXPECT_EQ(split("\"Hello,\" she said -- it's Ann's (the workers' house)... Yes!!!"),
            "\" Hello , \" she said -- it 's Ann 's ( the workers ' house ) ... Yes !!!");
  EXPECT_EQ(split("„Große“ Häuser – 1990–95; l’été"), "„ Große “ Häuser – 1990–95 ; l’été");
  EXPECT_EQ(split("Siemens(Munich),Bosch/Berlin and/or a,b"), "Siemens ( Munich ) , Bosch / Berlin and / or a , b");
  EXPECT_EQ(split(""), "");
  EXPECT_EQ(split(" \t\n\u3000"), "");
  EXPECT_EQ(split("..."), "...");
  EXPECT_EQ(split("a"), "a");
}

TEST(Words, KeepWhatIsOneWord) {
  EXPECT_EQ(split("$5 3.5 1,000 10:30 60% 9/11 e-mail AT&T #tag @name"), "$5 3.5 1,000 10:30 60% 9/11 e-mail AT&T #tag @name");
  EXPECT_EQ(split("The U.S. and the U.K., e.g. St. Louis, J. R. Smith Jr. and Dr. Who of Acme Inc."),
            "The U.S. and the U.K. , e.g. St. Louis , J. R. Smith Jr. and Dr. Who of Acme Inc.");
  EXPECT_EQ(split("No. 5, but no. #65 #65s"), "No. 5 , but no . # 65 # 65s");
  EXPECT_EQ(split("Mar. 3 is Plan B."), "Mar. 3 is Plan B .");
  EXPECT_EQ(split("see http://a.b/c?d=e,f. (www.x.com/a(b)), me@x.org!"), "see http://a.b/c?d=e,f . ( www.x.com/a(b) ) , me@x.org !");
  EXPECT_EQ(split("I don't, they'LL :)"), "I do n't , they 'LL :)");
  EXPECT_EQ(split("the '90s and 'quoted' words"), "the '90s and ' quoted ' words");
}

TEST(Words, OfOtherScripts) {
  EXPECT_EQ(split("我在北京。ABC公司"), "我 在 北 京 。 ABC 公 司");
  EXPECT_EQ(split("दुनिया। क्या?"), "दुनिया । क्या ?") << "vowels and viramas belong to their word";
  EXPECT_EQ(split("e\u0301te\u0301, \u05d0\u05e8\u05d4\u05f4\u05d1"), "e\u0301te\u0301 , \u05d0\u05e8\u05d4\u05f4\u05d1");
  EXPECT_EQ(split("\u0301"), "\u0301");
  EXPECT_EQ(split("\u0645\u0631\u062d\u0628\u0627\u060c \u0639\u0627\u0644\u0645"),
            "\u0645\u0631\u062d\u0628\u0627 \u060c \u0639\u0627\u0644\u0645");
}

/// What is split already stays so: a text whose words stand between spaces is read as its words.
TEST(Words, OfWordsAreTheseWords) {
  for (const std::string text : {"Angela Merkel visited Paris , and Siemens ( Munich ) opened a plant .",
                                 "\" Hello , \" she said -- it 's Ann 's ( the workers ' house ) ... Yes !!!",
                                 "I do n't live in the U.S. , $5 , 3.5 , No. 5 , http://a.b/c .", "我 在 北 京 。"}) {
    EXPECT_EQ(split(text), text);
  }
}

/// Would take an hour where it looked at a text again for each of its signs.
TEST(Words, OfLongTextsWithoutSpaces) {
  for (const std::string piece : {".", ".,", "'", ")", "a'", "\u0301", "!?", "e\u0301", "-.", "a@", "://"}) {
    std::string text = "http://";
    for (int i = 0; i < 1 << 20; ++i) {
      text += piece;
    }
    for (const std::size_t from : {0U, 7U}) {
      std::vector<std::string_view> words;
      splitWords(std::string_view(text).substr(from), words);
      std::size_t size = 0;
      for (const std::string_view word : words) {
        size += word.size();
      }
      EXPECT_EQ(size, text.size() - from) << piece;
    }
  }
}

} // namespace
} // namespace penstock

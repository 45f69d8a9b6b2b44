// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gmock/gmock.h>

#include <map>
#include <pugixml.hpp>

#include "render/timeline.hpp"

namespace guestd::render {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

/// The picture as a document; fails the test when it is not well-formed.
class Picture {
public:
    explicit Picture(const Timeline& timeline) : text_(timeline_svg(timeline)) {
        EXPECT_TRUE(document_.load_string(text_.c_str())) << text_;
    }

    /// The bar whose tooltip begins with `tip`.
    pugi::xml_node bar(const std::string& tip) const {
        for (const auto& each : document_.select_nodes("//rect[title]"))
            if (std::string{each.node().child_value("title")}.rfind(tip, 0) == 0)
                return each.node();
        ADD_FAILURE() << "no bar " << tip;
        return {};
    }
    /// All text in the picture that says `text`.
    pugi::xml_node label(const std::string& text) const {
        for (const auto& each : document_.select_nodes("//text|//tspan"))
            if (text == each.node().child_value())
                return each.node();
        return {};
    }
    std::size_t count(const char* xpath) const { return document_.select_nodes(xpath).size(); }
    const std::string& text() const { return text_; }

private:
    std::string text_;
    pugi::xml_document document_;
};

double left(pugi::xml_node bar) {
    return bar.attribute("x").as_double();
}
double right(pugi::xml_node bar) {
    return left(bar) + bar.attribute("width").as_double();
}

TimelineRow row(std::string name, std::vector<Stretch> stretches) {
    return {.group = "qemu:///system",
            .name = std::move(name),
            .stretches = std::move(stretches),
            .outcome = "saved"};
}

Timeline drain() {
    return {.title = "Drain run 12",
            .subtitle = "reboot",
            .length = 100s,
            .deadline = std::nullopt,
            .rows = {row("a", {{"shutdown", 0s, 50s, "asked 5 times"}, {"save", 50s, 100s, ""}})}};
}

TEST(TimelineSvg, PlacesBarsOnTheAxis) {
    const Picture picture{drain()};
    const auto shutdown = picture.bar("shutdown 50s · asked 5 times");
    const auto save = picture.bar("save 50s");
    EXPECT_NEAR(right(shutdown), left(save), 0.2);
    EXPECT_NEAR(right(save) - left(shutdown), 2 * (right(shutdown) - left(shutdown)), 0.5);
    EXPECT_NEAR(picture.label("50s").attribute("x").as_double(), left(save), 0.2);
    EXPECT_STRNE(shutdown.attribute("fill").value(), save.attribute("fill").value());
}

TEST(TimelineSvg, ExplainsOnlyTheColoursItUses) {
    const Picture picture{drain()};
    EXPECT_TRUE(picture.label("shutting down"));
    EXPECT_TRUE(picture.label("saving"));
    EXPECT_FALSE(picture.label("starting"));
    EXPECT_FALSE(picture.label("other"));
    Timeline odd = drain();
    odd.rows[0].stretches[0].what = "teleport";
    EXPECT_TRUE(Picture{odd}.label("other"));
}

TEST(TimelineSvg, DrawsADeadlineInReachAndNamesAFarOne) {
    Timeline timeline = drain();
    timeline.deadline = 120s;
    const Picture near{timeline};
    EXPECT_EQ(near.count("//line[@class='deadline']"), 1U);
    EXPECT_TRUE(near.label("deadline 2min"));
    timeline.deadline = 600s;
    const Picture far{timeline};
    EXPECT_EQ(far.count("//line[@class='deadline']"), 0U);
    EXPECT_TRUE(far.label("deadline 10min →"));
    // The bars are not squeezed for it.
    EXPECT_NEAR(right(far.bar("save")), right(Picture{drain()}.bar("save")), 0.2);
}

TEST(TimelineSvg, DrawsAnOpenStretchToTheEnd) {
    Timeline timeline = drain();
    timeline.rows.push_back(row("b", {{"settling", 20s, std::nullopt, ""}}));
    const Picture picture{timeline};
    const auto open = picture.bar("settling 1min 20s");
    EXPECT_NEAR(right(open), right(picture.bar("save")), 0.2);
    EXPECT_TRUE(open.attribute("fill-opacity"));
    EXPECT_FALSE(picture.bar("save").attribute("fill-opacity"));
}

TEST(TimelineSvg, EscapesEverythingFromOutside) {
    Timeline timeline = drain();
    const std::string evil = "</text><script>x</script>\x1b\x01\xff&\"";
    timeline.title = timeline.subtitle = evil;
    timeline.rows[0] = {.group = evil,
                        .name = evil,
                        .stretches = {{evil, 0s, 1s, evil}},
                        .outcome = evil,
                        .cause = evil};
    timeline.rows.push_back(row("b", {}));
    const Picture picture{timeline};
    EXPECT_EQ(picture.count("//script"), 0U);
    EXPECT_THAT(picture.text(), HasSubstr("\\x1b\\x01\\xff&amp;&quot;"));
    EXPECT_THAT(picture.text(), Not(HasSubstr("\x1b")));
}

TEST(TimelineSvg, CutsLongNamesButKeepsThemAsTooltip) {
    const std::string name(200, 'n');
    Timeline timeline = drain();
    timeline.rows[0].name = name;
    const Picture picture{timeline};
    EXPECT_FALSE(picture.label(name));
    EXPECT_EQ(picture.count(("//text[title='" + name + "']").c_str()), 1U);
}

TEST(TimelineSvg, HeadsEachUriWhenThereAreSeveral) {
    Timeline timeline = drain();
    EXPECT_EQ(Picture{timeline}.count("//text[@class='group']"), 0U);
    timeline.rows.push_back(row("c", {}));
    timeline.rows.back().group = "lxc:///system";
    EXPECT_EQ(Picture{timeline}.count("//text[@class='group']"), 2U);
}

TEST(TimelineSvg, KeepsEveryRowInsideThePicture) {
    for (const std::size_t rows : {0U, 1U, 60U, 61U, 500U}) {
        Timeline timeline = drain();
        timeline.rows.assign(rows, timeline.rows[0]);
        const Picture picture{timeline};
        EXPECT_EQ(picture.count("//rect[starts-with(title,'save')]"), rows);
        pugi::xml_document document;
        document.load_string(picture.text().c_str());
        const double height = document.child("svg").attribute("height").as_double();
        for (const auto& each : document.select_nodes("//rect[title]"))
            EXPECT_LT(each.node().attribute("y").as_double() +
                          each.node().attribute("height").as_double(),
                      height);
    }
}

TEST(TimelineSvg, TakesRunsOfAnyLength) {
    for (const Duration length : {Duration{0}, Duration{1us}, Duration{3ms}, Duration{240h}}) {
        Timeline timeline = drain();
        timeline.length = length;
        timeline.rows[0].stretches = {{"shutdown", 0s, length, ""}};
        const Picture picture{timeline};
        EXPECT_LE(picture.count("//line[@class='grid']"), 14U);
        EXPECT_GE(right(picture.bar("shutdown")), left(picture.bar("shutdown")) + 1);
    }
}

}  // namespace
}  // namespace guestd::render

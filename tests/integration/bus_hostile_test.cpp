// SPDX-License-Identifier: LGPL-2.1-or-later

/// Names and texts that guests bring, on every face at once: terminal, JSON, SVG, OpenMetrics, the
/// bus. libvirt refuses some of these names; another driver, or another version, may not.

#include <pugixml.hpp>
#include <regex>

#include "bus_fixture.hpp"
#include "guestd/utf8.hpp"

namespace guestd::bus::test {
namespace {

using testing::HasSubstr;

const std::vector<std::string> kEvil = {
    "line\nbreak\r\nand\ttab",
    "\x1b[2J\x1b]0;title\x07\x1b[31mred",
    "\xc2\x9b"
    "31m eight bits",
    "</text><script>alert(1)</script>",
    "<!ENTITY x SYSTEM 'file:///etc/shadow'>&x;]]>",
    "quote\" back\\slash 'single' ${HOME} $(reboot) `reboot` %s %n",
    "turned \u202e\u2066 around\u2028\ufeff",
    "no UTF-8 \xff\xc0\xaf\xed\xa0\x80",
    "{\"json\": [1, 2}",
    "GUESTD_OUTCOME=saved\nPRIORITY=0",
    "# EOF",
};

/// No byte in it that a terminal obeys, but for the end of a line.
void expect_harmless(std::string_view text, const std::string& where) {
    for (std::string_view rest = text; !rest.empty();) {
        const Utf8Char next = decode_utf8(rest);
        ASSERT_TRUE(next.valid && (next.code == '\n' || !is_control(next.code)))
            << where << ": character " << static_cast<unsigned>(next.code) << " at "
            << text.size() - rest.size();
        rest.remove_prefix(next.length);
    }
}

class Hostile : public BusTest {
protected:
    void bring(const std::vector<std::string>& texts) {
        facade.guest_views.clear();
        facade.uri_views.clear();
        facade.resume_entries.clear();
        facade.run_guest_records.clear();
        facade.span_records.clear();
        facade.setting_views.clear();
        facade.status_view.warnings = facade.status_view.config_files = texts;
        facade.status_view.degraded = texts.front();
        facade.run_views = {RunView{.record = {.id = 3,
                                               .kind = RunKind::drain,
                                               .state = RunState::finished,
                                               .started = at(100s),
                                               .ended = at(163s)}}};
        std::uint8_t number = 0;
        for (const auto& evil : texts)
            bring(evil, uuid_number(++number));
    }
    void bring(const std::string& evil, const Uuid& uuid) {
        facade.guest_views.push_back({.uri = evil, .uuid = uuid, .name = evil});
        auto& guest = facade.guest_views.back();
        guest.run = 3;
        guest.phase = guest.held_for = guest.answer = guest.cause = evil;
        facade.uri_views.push_back({.uri = evil, .reason = evil});
        facade.resume_entries.push_back(
            {.uri = evil, .uuid = uuid, .name = evil, .last_error = evil});
        facade.run_guest_records.push_back({.run = 3,
                                            .uri = evil,
                                            .uuid = uuid,
                                            .name = evil,
                                            .outcome = Outcome::failed,
                                            .cause = evil,
                                            .started = at(100s)});
        facade.span_records.push_back({3, evil, uuid, evil, at(100s), at(120s), evil});
        facade.setting_views.push_back({evil, evil, evil});
    }
};

TEST_F(Hostile, TextReachesNoTerminal) {
    guestd->on_loop([&](Server&) { bring(kEvil); });
    for (const std::vector<std::string>& command :
         std::vector<std::vector<std::string>>{{"list"},
                                               {"status"},
                                               {"show", kEvil[3]},
                                               {"resume-list"},
                                               {"history"},
                                               {"history", "3"},
                                               {"metrics"},
                                               {"plot", "3"}}) {
        const Finished shown = guestctl(command);
        EXPECT_EQ(shown.status, 0) << command[0] << ": " << shown.err;
        expect_harmless(shown.out, command[0]);
        expect_harmless(shown.err, command[0]);
    }
}

TEST_F(Hostile, TextIsStillTextInJson) {
    guestd->on_loop([&](Server&) { bring(kEvil); });
    for (const char* verb : {"status", "resume-list", "history"})
        expect_harmless(guestctl({"--json", verb}).out, verb);
    const json guests = json_of({"list"});
    ASSERT_EQ(guests.size(), kEvil.size());
    std::set<std::string> names;
    for (const auto& guest : guests)
        names.insert(guest["name"].get<std::string>());
    for (const auto& evil : kEvil)
        EXPECT_TRUE(names.contains(wire_text(evil))) << wire_text(evil);
}

TEST_F(Hostile, TextIsStillTextInAPicture) {
    guestd->on_loop([&](Server&) { bring(kEvil); });
    const Finished plotted = guestctl({"plot", "3"});
    pugi::xml_document svg;
    ASSERT_TRUE(svg.load_string(plotted.out.c_str()));
    EXPECT_EQ(svg.select_nodes("//script").size(), 0U);
    EXPECT_EQ(svg.select_nodes("//*[@onload or @onclick or @href]").size(), 0U);
    EXPECT_GE(svg.select_nodes("//text[contains(.,'<script>')]").size(), 1U);
    EXPECT_THAT(plotted.out, testing::Not(HasSubstr("<!ENTITY")));
}

TEST_F(Hostile, TextEndsNoLineOfMetrics) {
    guestd->on_loop([&](Server&) { bring(kEvil); });
    const Finished told = guestctl({"metrics"});
    static const std::regex kLine{
        R"re(# (TYPE|UNIT|HELP) .+|# EOF|[a-z_]+(\{([a-z]+="([^"\\]|\\["\\n])*",?)*\})? [-0-9.e+]+)re"};
    std::istringstream lines{told.out};
    std::size_t ends = 0;
    for (std::string line; std::getline(lines, line);) {
        EXPECT_TRUE(std::regex_match(line, kLine)) << line;
        ends += line == "# EOF";
    }
    EXPECT_EQ(ends, 1U);
}

TEST_F(Hostile, AMebibyteIsCutToTheTerminal) {
    const std::string large = std::string(1 << 20, 'x') + "\x1b";
    guestd->on_loop([&](Server&) {
        facade.guest_views = {{.uri = "test:///a", .uuid = uuid_number(1), .name = large}};
    });
    constexpr unsigned short kColumns = 80;
    const Finished shown = Guestctl{{"list"}, kColumns}.finish();
    EXPECT_EQ(shown.status, 0) << shown.err;
    EXPECT_LT(shown.out.size(), 1000U);
    EXPECT_THAT(guestctl({"list"}).out, HasSubstr("xxx\\x1b"));
    EXPECT_EQ(json_of({"list"})[0]["name"], large);
}

}  // namespace
}  // namespace guestd::bus::test

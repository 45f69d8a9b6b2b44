// SPDX-License-Identifier: LGPL-2.1-or-later
// Texts of the kernel, whole, cut and odd.
#include <gmock/gmock.h>

#include "sensors/mountinfo.hpp"
#include "sensors/proc_text.hpp"

namespace guestd::sensors {

std::ostream& operator<<(std::ostream& out, MountState state) {
    switch (state) {
        case MountState::none:
            return out << "none";
        case MountState::trap:
            return out << "trap";
        case MountState::mounted:
            return out << "mounted";
    }
    return out;
}

namespace {

const std::string kRoot = "20 1 8:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw\n";

TEST(Mountinfo, FieldsAreFound) {
    const auto mounts = parse_mountinfo(
        "36 35 98:0 /root /point rw,noatime master:1 shared:7 propagate_from:2 - ext3 /dev/root "
        "rw,errors=continue\n"
        "37 35 0:5 / /bare rw - tmpfs - rw\n");
    ASSERT_EQ(mounts.size(), 2U);
    EXPECT_EQ(mounts[0].id, 36);
    EXPECT_EQ(mounts[0].parent, 35);
    EXPECT_EQ(mounts[0].point, "/point");
    EXPECT_EQ(mounts[0].type, "ext3");
    EXPECT_EQ(mounts[1].point, "/bare");
    EXPECT_EQ(mounts[1].type, "tmpfs");
}

TEST(Mountinfo, EscapesAreUndone) {
    struct Case {
        const char* written;
        const char* meant;
    };
    for (const auto& [written, meant] :
         {Case{"/a\\040b", "/a b"}, Case{"/a\\011\\012\\134040", "/a\t\n\\040"},
          Case{"/a\\", "/a\\"}, Case{"/a\\04", "/a\\04"}, Case{"/a\\048", "/a\\048"},
          Case{"/a\\377", "/a\377"}, Case{"/a\\777", "/a\\777"}, Case{"/\303\244", "/\303\244"}}) {
        const auto mounts =
            parse_mountinfo("36 35 98:0 / " + std::string{written} + " rw - ext3 /dev/x rw\n");
        ASSERT_EQ(mounts.size(), 1U) << written;
        EXPECT_EQ(mounts[0].point, meant);
    }
}

TEST(Mountinfo, LinesThatAreCutAreLeftOut) {
    const std::string whole = "36 35 98:0 / /point rw shared:7 - ext3 /dev/root rw";
    // Up to the first letter of the type, nothing is known for sure.
    for (std::size_t size = 0; size <= whole.find("ext3"); ++size)
        EXPECT_TRUE(parse_mountinfo(whole.substr(0, size)).empty()) << whole.substr(0, size);
    EXPECT_EQ(parse_mountinfo(kRoot + whole.substr(0, 9) + "\n" + whole).size(), 2U);
}

TEST(Mountinfo, NonsenseIsLeftOut) {
    for (const char* line :
         {"", "\n\n", "x 35 98:0 / /p rw - t s o", "36 y 98:0 / /p rw - t s o",
          "36x 35 98:0 / /p rw - t s o", "99999999999999999999 35 98:0 / /p rw - t s o",
          "36 35 98:0 / relative rw - t s o", "36 35 98:0 / /p rw no hyphen here"})
        EXPECT_TRUE(parse_mountinfo(line).empty()) << line;
}

struct AtCase {
    const char* name;
    std::string table;
    const char* path;
    MountState state;
};
class MountedAt : public ::testing::TestWithParam<AtCase> {};
TEST_P(MountedAt, IsWhatIsSeenThere) {
    EXPECT_EQ(mounted_at(parse_mountinfo(GetParam().table), GetParam().path), GetParam().state);
}

const std::string kSrv = "30 20 0:30 / /srv rw - xfs /dev/vdb rw\n";
const std::string kTrap = "40 20 0:40 / /net rw - autofs systemd-1 rw\n";

INSTANTIATE_TEST_SUITE_P(
    Cases, MountedAt,
    ::testing::Values(
        AtCase{"root", kRoot, "/", MountState::mounted},
        AtCase{"nothing_at_all", "", "/", MountState::none},
        AtCase{"mounted", kRoot + kSrv, "/srv", MountState::mounted},
        AtCase{"not_below", kRoot + kSrv, "/srv/images", MountState::none},
        AtCase{"not_a_longer_name", kRoot + kSrv, "/srv2", MountState::none},
        AtCase{"not_a_shorter_name", kRoot + kSrv, "/sr", MountState::none},
        AtCase{"trap", kRoot + kTrap, "/net", MountState::trap},
        AtCase{"trap_sprung", kRoot + kTrap + "41 40 0:41 / /net rw - nfs4 nas:/ rw\n", "/net",
               MountState::mounted},
        AtCase{"trap_over_a_mount",
               kRoot + "41 20 0:41 / /net rw - nfs4 nas:/ rw\n" +
                   "42 41 0:42 / /net rw - autofs systemd-1 rw\n",
               "/net", MountState::trap},
        AtCase{"below_another", kRoot + kSrv + "31 30 0:31 / /srv/images rw - ext4 /dev/vdc rw\n",
               "/srv/images", MountState::mounted},
        AtCase{"hidden_by_a_mount_over_its_parent",
               kRoot + "31 20 0:31 / /srv/images rw - ext4 /dev/vdc rw\n" + kSrv, "/srv/images",
               MountState::none},
        AtCase{"hidden_with_the_whole_root",
               kRoot + kSrv + "50 20 0:50 / / rw - overlay overlay rw\n", "/srv", MountState::none},
        AtCase{"on_the_new_root",
               kRoot + "50 20 0:50 / / rw - overlay overlay rw\n" +
                   "51 50 0:51 / /srv rw - xfs /dev/vdb rw\n",
               "/srv", MountState::mounted},
        AtCase{"order_of_lines_is_no_matter", kSrv + kRoot, "/srv", MountState::mounted},
        AtCase{"root_that_is_its_own_parent", "1 1 0:2 / / rw - rootfs rootfs rw\n", "/",
               MountState::mounted},
        AtCase{"root_is_not_in_the_list", kSrv, "/srv", MountState::mounted},
        AtCase{"beside_a_shorter_name", kRoot + kSrv + "31 20 0:31 / /srv2 rw - xfs /dev/vdc rw\n",
               "/srv2", MountState::mounted},
        AtCase{"circle", "1 2 0:1 / /a rw - t s o\n2 1 0:2 / /a rw - t s o\n", "/a",
               MountState::none},
        AtCase{"circle_of_twice_the_same",
               "1 9 0:1 / /a rw - t s o\n2 1 0:2 / /a rw - t s o\n1 2 0:1 / /a rw - t s o\n", "/a",
               MountState::mounted}),
    [](const auto& param) { return std::string{param.param.name}; });

TEST(PlainPath, IsAsTheKernelWritesIt) {
    EXPECT_EQ(plain_path("/srv//images/./x/"), "/srv/images/x");
    EXPECT_EQ(plain_path("///"), "/");
    EXPECT_EQ(plain_path(""), "/");
    EXPECT_EQ(plain_path("/a/../b"), "/a/../b");
}

TEST(Pressure, SomeAverageIsRead) {
    EXPECT_EQ(parse_pressure("some avg10=12.34 avg60=5.00 avg300=1.00 total=99\n"
                             "full avg10=99.00 avg60=5.00 avg300=1.00 total=99\n"),
              12.34);
    EXPECT_EQ(parse_pressure("full avg10=99.00 total=1\nsome avg60=1 avg10=0.00"), 0.0);
    EXPECT_EQ(parse_pressure("some avg10=100.00 avg60=5.00"), 100.0);
}

TEST(Pressure, NonsenseIsNoFigure) {
    for (const char* text :
         {"", "some", "some ", "some avg10", "some avg10=", "some avg10=x", "some avg10=1x",
          "some avg10=nan", "some avg10=inf", "some avg10=-1.00", "some avg10=100.01",
          "some avg10=1e999", "full avg10=1.00", "sometimes avg10=1.00", "some avg100=1.00",
          "some avg60=1.00 total=5"})
        EXPECT_EQ(parse_pressure(text), std::nullopt) << text;
}

TEST(Meminfo, AvailableIsRead) {
    EXPECT_EQ(parse_available("MemTotal:        4030252 kB\nMemAvailable:    3116224 kB\n"),
              Bytes{3116224ULL * 1024});
    EXPECT_EQ(parse_available("MemAvailable: 0 kB"), Bytes{0});
    EXPECT_EQ(parse_available("MemAvailable:\t18014398509481983 kB"),
              Bytes{18014398509481983ULL * 1024});
}

TEST(Meminfo, NonsenseIsNoFigure) {
    for (const char* text :
         {"", "MemTotal: 5 kB\n", "MemAvailable", "MemAvailable:", "MemAvailable: kB",
          "MemAvailable: 5", "MemAvailable: 5 MB", "MemAvailable: -5 kB", "MemAvailable: 5k kB",
          "MemAvailable: 18014398509481984 kB", "MemAvailable: 99999999999999999999 kB",
          "XMemAvailable: 5 kB"})
        EXPECT_EQ(parse_available(text), std::nullopt) << text;
}

}  // namespace
}  // namespace guestd::sensors

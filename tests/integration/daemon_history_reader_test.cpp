// SPDX-License-Identifier: LGPL-2.1-or-later
// Whoever asks the history is answered, also on a host that has no room for a thread.
#include <gmock/gmock.h>
#include <pthread.h>

#include "daemon/history_reader.hpp"
#include "store_support.hpp"

namespace guestd::daemon {
namespace {

/// While it lives no thread can be made: there is no room for its stack.
class NoThreads {
public:
    NoThreads() {
        EXPECT_EQ(pthread_getattr_default_np(&before_), 0);
        pthread_attr_t huge;
        EXPECT_EQ(pthread_attr_init(&huge), 0);
        constexpr std::size_t kAllAddresses = std::size_t{1} << 47;
        EXPECT_EQ(pthread_attr_setstacksize(&huge, kAllAddresses), 0);
        EXPECT_EQ(pthread_setattr_default_np(&huge), 0);
        pthread_attr_destroy(&huge);
    }
    ~NoThreads() {
        pthread_setattr_default_np(&before_);
        pthread_attr_destroy(&before_);
    }
    NoThreads(const NoThreads&) = delete;
    NoThreads& operator=(const NoThreads&) = delete;

private:
    pthread_attr_t before_;
};

TEST(HistoryReader, AnswersWithoutAThreadAndMakesOneLater) {
    const store::testing::TempDir folder;
    const auto loop = std::move(*systemd::Loop::create());
    const auto reader = std::move(*HistoryReader::create(*loop, folder.path()));
    std::vector<std::string> told;
    HistoryReader::Question question = [&](Result<store::History*> history) {
        return [&, text = history ? "" : history.error().message()] {
            told.push_back(text);
            if (told.size() == 2)
                loop->exit(0);
            else
                reader->ask(question);
        };
    };
    {
        const NoThreads none;
        reader->ask(question);
    }
    EXPECT_TRUE(told.empty()) << "answered on the loop";
    loop->run();
    constexpr const char* kNoThread = "no thread to read with";
    EXPECT_THAT(told, testing::ElementsAre(testing::HasSubstr(kNoThread),
                                           testing::Not(testing::HasSubstr(kNoThread))));
}

}  // namespace
}  // namespace guestd::daemon

# SPDX-License-Identifier: LGPL-2.1-or-later
# What goes where, and the packages made of it. What lies in a folder of its kind (units, manual
# pages, completions, schemas) comes in by itself.
set(GUESTD_LIB_DIR lib CACHE STRING "Where systemd looks: lib on a merged /usr")
set(GUESTD_SYSCONFIG_DIR /etc/default CACHE STRING "Debian's; others have /etc/sysconfig")
set(doc share/doc/guestd)

install(TARGETS guestd RUNTIME DESTINATION ${CMAKE_INSTALL_SBINDIR})
install(TARGETS guestctl RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS stand-by RUNTIME DESTINATION lib/guestd)
install(PROGRAMS conf/packaging/take-over conf/packaging/ready-workers DESTINATION lib/guestd)
install(TARGETS guestd-generator
        RUNTIME DESTINATION ${GUESTD_LIB_DIR}/systemd/system-generators)

# What stops after guestd is ordered and locked up like it.
set(sandbox No|Protect|Private|Restrict|Read|Capability|System|Device|Keyring|Lock|Memory|IPAddress)
# Read when cmake runs: after an edit it is to run again.
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS systemd/guestd.service)
file(STRINGS systemd/guestd.service sandbox REGEX "^(${sandbox})[A-Za-z]*=")
list(FILTER sandbox EXCLUDE REGEX "^Restart")
list(JOIN sandbox "\n" GUESTD_SANDBOX)
file(STRINGS systemd/guestd.service order REGEX "^(After|Requires|Wants)=")
list(FILTER order EXCLUDE REGEX "guestd-(finish|workers)")
list(JOIN order "\n" GUESTD_ORDER)
configure_file(systemd/guestd-finish.service.in guestd-finish.service @ONLY)
file(GLOB units CONFIGURE_DEPENDS systemd/*.service systemd/*.timer systemd/*.path systemd/*.socket)
install(FILES ${units} ${CMAKE_CURRENT_BINARY_DIR}/guestd-finish.service
        DESTINATION ${GUESTD_LIB_DIR}/systemd/system)
# Whoever starts a daemon starts this with it; not enabled, for it does nothing without guestd.
file(CREATE_LINK ../guestd-workers.service ${CMAKE_CURRENT_BINARY_DIR}/guestd-workers.service SYMBOLIC)
foreach(daemon libvirtd virtqemud virtlxcd virtxend)
    install(FILES ${CMAKE_CURRENT_BINARY_DIR}/guestd-workers.service
            DESTINATION ${GUESTD_LIB_DIR}/systemd/system/${daemon}.service.wants)
endforeach()
file(GLOB user_units CONFIGURE_DEPENDS systemd/user/*.service)
install(FILES ${user_units} DESTINATION ${GUESTD_LIB_DIR}/systemd/user)
install(FILES systemd/guestd.catalog DESTINATION ${GUESTD_LIB_DIR}/systemd/catalog)

install(FILES conf/dbus/org.guestd1.conf DESTINATION share/dbus-1/system.d)
install(FILES conf/dbus/org.guestd1.service DESTINATION share/dbus-1/system-services)
install(FILES docs/org.guestd1.xml DESTINATION share/dbus-1/interfaces)
install(FILES conf/polkit/org.guestd1.policy DESTINATION share/polkit-1/actions)
file(GLOB examples CONFIGURE_DEPENDS conf/polkit/*.rules docs/examples/*)
install(FILES ${examples} DESTINATION share/guestd/examples)

install(FILES conf/guestd.toml DESTINATION /etc/guestd)
install(DIRECTORY DESTINATION /etc/guestd/guestd.toml.d)
install(FILES conf/guestd.sysconfig DESTINATION ${GUESTD_SYSCONFIG_DIR} RENAME guestd)

# compressed NAME INPUT: build/compressed/NAME.gz, as distributions want it: the same every time.
function(compressed name input)
    set(output ${CMAKE_CURRENT_BINARY_DIR}/compressed/${name}.gz)
    add_custom_command(OUTPUT ${output} DEPENDS ${input} VERBATIM
                       COMMAND sh -c "gzip -9nc \"$1\" >\"$2\"" sh ${input} ${output})
    set_property(GLOBAL APPEND PROPERTY GUESTD_COMPRESSED ${output})
endfunction()
file(MAKE_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/compressed)

file(GLOB manuals CONFIGURE_DEPENDS docs/man/*.[1-9])
foreach(manual ${manuals})
    cmake_path(GET manual FILENAME name)
    string(REGEX MATCH "[1-9]$" section ${name})
    compressed(${name} ${manual})
    install(FILES ${CMAKE_CURRENT_BINARY_DIR}/compressed/${name}.gz
            DESTINATION share/man/man${section})
endforeach()
configure_file(conf/packaging/changelog.in changelog @ONLY)
compressed(changelog ${CMAKE_CURRENT_BINARY_DIR}/changelog)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/compressed/changelog.gz DESTINATION ${doc})
get_property(outputs GLOBAL PROPERTY GUESTD_COMPRESSED)
add_custom_target(compress ALL DEPENDS ${outputs})

# What the programs are made of: docs/dependencies.md.
set(sbom ${CMAKE_CURRENT_BINARY_DIR}/guestd.spdx.json)
add_custom_command(OUTPUT ${sbom} VERBATIM
                   DEPENDS guestd guestctl guestd-generator stand-by
                           conf/packaging/sbom docs/dependencies.md
                   COMMAND ${CMAKE_SOURCE_DIR}/conf/packaging/sbom ${sbom} ${PROJECT_VERSION}
                           ${CMAKE_SOURCE_DIR} $<TARGET_FILE:guestd> $<TARGET_FILE:guestctl>
                           $<TARGET_FILE:guestd-generator> $<TARGET_FILE:stand-by>)
add_custom_target(sbom ALL DEPENDS ${sbom})
install(FILES ${sbom} DESTINATION ${doc})

# The documents link to each other, and tests/package/check follows: README.md lies beside the
# others here, and what programs look for elsewhere is linked to. testing.md is about the sources.
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS README.md)
file(READ README.md readme)
string(REPLACE "](docs/" "](" readme "${readme}")
set(linked ${CMAKE_CURRENT_BINARY_DIR}/documents)
file(WRITE ${linked}/README.md "${readme}")
file(CREATE_LINK ../../dbus-1/interfaces/org.guestd1.xml ${linked}/org.guestd1.xml SYMBOLIC)
file(CREATE_LINK ../../guestd/schema ${linked}/schema SYMBOLIC)
file(GLOB documents CONFIGURE_DEPENDS docs/*.md docs/*.svg)
list(FILTER documents EXCLUDE REGEX "/testing.md$")
install(FILES ${linked}/README.md ${linked}/org.guestd1.xml ${linked}/schema ${documents}
              conf/packaging/copyright DESTINATION ${doc})
install(DIRECTORY docs/howto docs/adr docs/grafana DESTINATION ${doc})
install(DIRECTORY docs/schema DESTINATION share/guestd FILES_MATCHING PATTERN "*.json")
file(GLOB bash CONFIGURE_DEPENDS conf/completion/*.bash)
if(bash)
    install(FILES ${bash} DESTINATION share/bash-completion/completions RENAME guestctl)
endif()
file(GLOB zsh CONFIGURE_DEPENDS conf/completion/_*)
install(FILES ${zsh} DESTINATION share/zsh/vendor-completions)
file(GLOB fish CONFIGURE_DEPENDS conf/completion/*.fish)
install(FILES ${fish} DESTINATION share/fish/vendor_completions.d)

include(conf/packaging/packages.cmake)

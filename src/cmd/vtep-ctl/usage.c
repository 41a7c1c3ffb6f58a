#include "cmd/vtep-ctl/vtep.h"

void
vtepctl_usage(const struct dbctl_class *class)
{
    printf("%s: VTEP configuration utility\n"
           "usage: %s [OPTIONS] COMMAND [ARG...]\n"
           "\n"
           "VTEP commands:\n"
           "  show                        print overview of database contents\n"
           "\n"
           "Manager commands:\n"
           "  get-manager                 print the managers\n"
           "  del-manager                 delete the managers\n"
           "  [--inactivity-probe=MSECS]\n"
           "  set-manager TARGET...       set the list of managers to TARGET...\n"
           "\n"
           "Physical Switch commands:\n"
           "  add-ps PS                   create a new physical switch named PS\n"
           "  del-ps PS                   delete PS and all of its ports\n"
           "  list-ps                     print the names of all the physical switches\n"
           "  ps-exists PS                exit 2 if PS does not exist\n"
           "\n"
           "Port commands:\n"
           "  list-ports PS               print the names of all the ports on PS\n"
           "  add-port PS PORT            add network device PORT to PS\n"
           "  del-port PS PORT            delete PORT from PS\n"
           "\n", log_program(), log_program());
    printf("Logical Switch commands:\n"
           "  add-ls LS                   create a new logical switch named LS\n"
           "  del-ls LS                   delete LS and all of its ports\n"
           "  list-ls                     print the names of all the logical switches\n"
           "  ls-exists LS                exit 2 if LS does not exist\n"
           "  bind-ls PS PORT VLAN LS     bind LS to VLAN on PORT\n"
           "  unbind-ls PS PORT VLAN      unbind logical switch on VLAN from PORT\n"
           "  list-bindings PS PORT       list bindings for PORT on PS\n"
           "  set-replication-mode LS MODE  set replication mode on LS\n"
           "  get-replication-mode LS       get replication mode on LS\n"
           "\n"
           "Logical Router commands:\n"
           "  add-lr LR                   create a new logical router named LR\n"
           "  del-lr LR                   delete LR\n"
           "  list-lr                     print the names of all the logical routers\n"
           "  lr-exists LR                exit 2 if LR does not exist\n"
           "\n"
           "MAC binding commands:\n");
    for (int remote = 0; remote < 2; remote++) {
        const char *s = remote ? "remote" : "local", *gap = remote ? "" : " ";

        printf("  add-ucast-%s LS MAC [ENCAP] IP  %sadd ucast %s entry in LS\n", s, gap, s);
        printf("  del-ucast-%s LS MAC             %sdel ucast %s entry from LS\n", s, gap, s);
        printf("  add-mcast-%s LS MAC [ENCAP] IP  %sadd mcast %s entry in LS\n", s, gap, s);
        printf("  del-mcast-%s LS MAC [ENCAP] IP  %sdel mcast %s entry from LS\n", s, gap, s);
        printf("  clear-%s-macs LS                %sclear %s mac entries\n", s, gap, s);
        printf("  list-%s-macs LS                 %slist %s mac entries\n", s, gap, s);
    }
    puts("");
    dbctl_usage_database_commands();
    dbctl_usage_names(class);
    dbctl_usage_options(class, "");
}

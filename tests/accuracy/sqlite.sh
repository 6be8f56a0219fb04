# SPDX-License-Identifier: GPL-2.0-or-later
# A data base in memory: 100,000 rows of 500 bytes, two indices, joins and updates. Most of a row
# is the same letter: swap compresses it.
. "$(dirname "$0")/common.sh"

prepare() {
    cat >"$dir/script.sql" <<'END'
pragma cache_size = -400000;
create table t(a integer primary key, b text, c integer, d text);
with recursive n(i) as (select 0 union all select i + 1 from n where i < 99999)
insert into t select i, printf('%08x-%d', (i * 2654435761) % 4294967296, i), (i * 7919) % 20011,
    hex(i * 7919) || printf('%.450c', 'x') from n;
create index tb on t(b);
create index tc on t(c);
select count(*), max(b) from t;
select sum(length(d)) from t where c between 5000 and 6000;
update t set c = c + 1 where c % 10 = 3;
select count(*) from t x join t y on x.c = y.a where y.b > '8';
delete from t where a % 5 = 0;
select count(*), sum(c) from t;
END
}
workload() {
    sqlite=$(installed sqlite3)
    echo "$sqlite -init $dir/script.sql -batch :memory: .quit"
}
main

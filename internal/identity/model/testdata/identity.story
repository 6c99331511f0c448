Stories of identity: ING4. The language is described at type story.

=== ING4: line shift, rename, rescored severity, reworded text
scan main 1 complete: A:10 B:20 C:30 D:40
scan main 2 complete: A:110 B:20,file=new/b.go C:30,severity=low D:40,title=other
expect:
A open main=observed
B open main=observed
C open main=observed
D open main=observed

=== ING4: N equal rows in N places stay N
scan main 1 complete: A:10 A:20 A:30
scan main 2 complete: A:15 A:25 A:35
expect:
A open main=observed
A#2 open main=observed
A#3 open main=observed

=== ING4: of three equal rows one is fixed, one is moved
scan main 1 complete: A:10 A:20 A:300
scan main 2 complete: A:10 A:301
expect:
A open main=observed
A#2 fixed main=fixed basis=declared
A#3 open main=observed

=== ING4: a copy is a finding of its own
scan main 1 complete: A:10
scan main 2 complete: A:10 A:10,file=copy.go
expect:
A open main=observed
A#2 open main=observed

=== ING4: without snippets lines decide
scan main 1 complete: A:10,plain A:20,plain
scan main 2 complete: A:90,plain A:100,plain
expect:
A open main=observed
A#2 open main=observed

=== ING4: the tool's id keeps what moves and changes
scan main 1 complete: A:10,tool=a-1
scan main 2 complete: B:99,tool=a-1
expect:
A open main=observed

=== ING4: an edited line far away is another finding, and does not inherit a decision
scan main 1 complete: A:10
decide A false_positive 2
scan main 3 complete: A:900,snippet=something-else-that-is-wrong
expect:
A fixed main=fixed verdict=false_positive basis=declared
A#2 open main=observed

=== ING4: recognised through main where the branch had changed it
# Regression: its own presence in dev was not the one that was recognised, and became
# not observed although the scan showed it.
scan main 1 complete: A:10
scan dev 2 complete: A:10
scan dev 3 complete: A:12,snippet=edited-on-the-branch-for-a-while
scan dev 4 complete: A:500
expect:
A open main=observed dev=observed

=== Another secret in the same place is another finding
scan main 1 complete: A:10,secret=sinew:secret:k:1
decide A accepted 2
scan main 3 complete: B:10,rule=rule-a,file=a.go,secret=sinew:secret:k:2
expect:
A fixed main=fixed verdict=accepted basis=declared
B open main=observed

=== ING4: a late snapshot is folded where it belongs
scan main 1 complete: A:10
scan main 3 complete:
expect:
A fixed main=fixed basis=declared

scan main 2 complete: A:12 B:20
expect:
A fixed main=fixed basis=declared
B fixed main=fixed basis=declared

=== ING4: ancestry orders commits whatever their times say
scan main@c2 1 complete after=c1:
scan main@c1 2 complete: A:10
expect:
A fixed main=fixed basis=declared

=== Decisions: triaged falls when it comes back, accepted stays
scan main 1 complete: A:10 B:20
decide A triaged 2
decide B accepted 2
expect:
A triaged main=observed verdict=triaged
B accepted main=observed verdict=accepted

scan main 3 complete:
scan main 4 complete: A:10 B:20
expect:
A open main=observed reopened=1
B accepted main=observed reopened=1 verdict=accepted

=== Decisions: time runs out
scan main 1 complete: A:10
decide A accepted 2
decide A none 3
expect:
A open main=observed

=== Decisions: a person takes back what the tool says
scan main 1 complete: A:10,status=false_positive
expect:
A false_positive main=observed verdict=false_positive

decide A reopen 2
expect:
A open main=observed verdict=reopen

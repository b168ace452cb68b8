create table migrated (n int);
--> statement-breakpoint
insert into migrated values (1);

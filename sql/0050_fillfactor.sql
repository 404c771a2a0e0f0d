-- works since 0034
-- The rows of an hour change as long as events of the hour come in. Room in their pages keeps a changed row in its page, without a new entry in the key.
-- It is for pages that are written from now on, and no writer waits for it.
alter table product_hour set (fillfactor = 90);

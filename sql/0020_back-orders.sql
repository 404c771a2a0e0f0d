-- works since 0016
-- A stock below 0 is that of a shop that has sold more of a product than it has.
alter table catalog.product drop constraint product_quantity_check;
